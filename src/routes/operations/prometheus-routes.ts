import { Elysia } from "elysia";
import { Counter, Gauge, type Registry } from "prom-client";
import type { Clock } from "../../kit/clock.ts";
import type { Queue, QueueStats } from "../../pipeline/queue/queue.ts";
import type { Service } from "../../kit/service.ts";
import { operation } from "../http/operation.ts";
import { accepts } from "../http/parameters/accepts.ts";
import { noQuery } from "../http/parameters/common.ts";

export interface PrometheusOptions {
  /** Holds the instruments of the other parts of the process. Each app needs its own registry. */
  readonly registry: Registry;
  readonly queue: Pick<Queue, "stats">;
  readonly services: readonly Service[];
  readonly version: string;
  readonly clock: Clock;
}

/** /metrics for Prometheus: the instruments of all parts, and the current state of the queue, the services and the
 *  process. */
export function prometheusRoutes(options: PrometheusOptions) {
  const { registry } = options;
  const readQueue = queueGauges(options);
  const readServices = serviceGauges(options);
  const readProcess = processGauges(options);
  return new Elysia({ name: "metrics" }).get(
    "/metrics",
    async ({ set }) => {
      await readQueue();
      readServices();
      readProcess();
      set.headers["content-type"] = registry.contentType;
      return registry.metrics();
    },
    {
      ...accepts(noQuery),
      detail: operation({
        id: "getPrometheusMetrics",
        tag: "operations",
        access: { scope: "read", selectors: "refused", page: "metrics" },
        summary: "State of the process for Prometheus",
        description: "Text exposition format 0.0.4.",
        text: 'telemetry_queue_ready_messages 0\ntelemetry_service_up{service="collector"} 1\n',
        errors: [400, 500],
      }),
    },
  );
}

function queueGauges({ registry, queue }: PrometheusOptions): () => Promise<void> {
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers: [registry] });
  const up = gauge("telemetry_queue_up", "1 while the queue answers");
  const gauges: Record<keyof QueueStats, Gauge> = {
    readyMessages: gauge("telemetry_queue_ready_messages", "Messages that wait for a collector"),
    inFlightMessages: gauge("telemetry_queue_in_flight_messages", "Messages that a collector has claimed"),
    deadMessages: gauge("telemetry_queue_dead_messages", "Dead letters"),
    deadCapacityMessages: gauge(
      "telemetry_queue_dead_capacity_messages",
      "Number of dead letters from which on the oldest ones are deleted with their records",
    ),
    capacityMessages: gauge("telemetry_queue_capacity_messages", "Queue length at which publishers start to wait"),
    leftMessages: gauge(
      "telemetry_queue_left_messages",
      "Messages that this process leaves for collectors of a newer version of the program",
    ),
    oldestAgeMs: gauge("telemetry_queue_oldest_message_age_seconds", "Age of the oldest message not acknowledged"),
  };
  return async () => {
    const stats = await queue.stats().catch(() => undefined);
    up.set(stats === undefined ? 0 : 1);
    if (stats === undefined) return;
    for (const [name, value] of Object.entries(stats) as [keyof QueueStats, number][]) {
      gauges[name].set(name === "oldestAgeMs" ? value / 1000 : value);
    }
  };
}

function serviceGauges({ registry, services }: PrometheusOptions): () => void {
  const up = new Gauge({
    name: "telemetry_service_up",
    help: "1 while a service of this process has no error",
    labelNames: ["service"],
    registers: [registry],
  });
  return () => services.forEach((service) => up.set({ service: service.name }, service.error() === undefined ? 1 : 0));
}

/** Instruments of the process. Names that begin with `process_` are those that Prometheus's client libraries use. prom-client's
 *  own collection is not used, because on Bun its figures of heap and garbage collection are wrong, and its timers keep
 *  running. */
function processGauges({ registry, version, clock }: PrometheusOptions): () => void {
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers: [registry] });
  const build = new Gauge({
    name: "telemetry_build_info",
    help: "Always 1; the version is the label",
    labelNames: ["version"],
    registers: [registry],
  });
  build.set({ version }, 1);
  gauge("process_start_time_seconds", "When the process started, seconds since the epoch").set(
    clock.nowMs() / 1000 - process.uptime(),
  );
  const resident = gauge("process_resident_memory_bytes", "Resident memory");
  const cpu = new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time, user and system",
    registers: [registry],
  });
  return () => {
    const { user, system } = process.cpuUsage();
    resident.set(process.memoryUsage.rss());
    cpu.reset();
    cpu.inc((user + system) / 1e6);
  };
}
