import { defined } from "../../kit/defined.ts";
import { Elysia } from "elysia";
import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import type { Queue } from "../../pipeline/queue/queue.ts";
import type { Service } from "../../kit/service.ts";
import { within } from "../../kit/within.ts";
import type { DatabaseChange } from "../../pipeline/store/database-change.ts";
import type { TelemetryStore } from "../../pipeline/store/telemetry-store.ts";
import { operation } from "../http/operation.ts";
import { accepts } from "../http/parameters/accepts.ts";
import { noQuery } from "../http/parameters/common.ts";
import { probeSchema, healthSchema, type ComponentHealth, type Health } from "./health.ts";

export interface HealthOptions {
  /** Undefined in a process without a store. */
  readonly store: Pick<TelemetryStore, "ping"> | undefined;
  /** Returns true while the process can answer clients from memory, whether or not the store answers. */
  readonly servesFromMemory: () => boolean;
  /** Returns a description of the store's database; undefined until the database has been reached. */
  readonly engine: () => string | undefined;
  /** Returns the last change of the store's database, while it is recent. */
  readonly notice: () => DatabaseChange | undefined;
  readonly queue: Pick<Queue, "stats">;
  readonly services: readonly Service[];
  /** Aborted when the process is about to stop. It still answers requests, but should get no more of them. */
  readonly draining: AbortSignal;
  readonly roles: readonly string[];
  readonly version: string;
  readonly clusterId: string;
  readonly clock: Clock;
}

/** Services that a process does not need while it serves from memory: the updates of the fleet and of its
 *  states, and the upkeep of etcd and of the embedded store's files. */
const dispensable: ReadonlySet<string> = new Set(["fleet", "states", "etcd", "disk"]);
/** The services whose errors do not make a process unready, because it does its other work: while the registration has an error,
 *  others do not see the process; while access, mapping, provider or sessions has one, it knows the
 *  keys and people that it has read before; while tls has one, it serves the last usable certificate; while audit has one, the log has the entries; while queries or history has one, it answers what it can; while retention, settling, archive or messages has one, old history takes more room; while evaluation has one, no other process may evaluate faults, which is not a gateway's work; while dead-leases has one, etcd may keep what dead processes had claimed; while nvidia-smi has one, GPUs of the process's own machine are not read. */
const notNeeded: ReadonlySet<string> = new Set([
  ...["registry", "nvidia-smi", "access", "audit", "tls", "queries", "history", "mapping", "provider", "sessions"],
  ...["retention", "settling", "archive", "messages", "evaluation", "etcd-history", "dead-leases"],
]);
/** A part that does not answer within this time counts as down. */
const probeTimeoutMs = 2000;

/** /health for people, /health/live and /health/ready for probes. */
export function healthRoutes(options: HealthOptions) {
  const startedAtMs = options.clock.nowMs();
  return new Elysia({ name: "health" })
    .get(
      "/health",
      async ({ set }) => {
        const health = await readHealth(options, startedAtMs);
        set.status = health.status === "down" ? 503 : 200;
        return health;
      },
      { ...accepts(noQuery), detail: healthDetail },
    )
    .get("/health/live", () => ({ status: "ok", reasons: [] }), { ...accepts(noQuery), detail: liveDetail })
    .get(
      "/health/ready",
      async ({ set }) => {
        const reasons = await reasonsNotReady(options);
        set.status = reasons.length === 0 ? 200 : 503;
        return { status: reasons.length === 0 ? "ok" : "unavailable", reasons };
      },
      { ...accepts(noQuery), detail: readyDetail },
    );
}

async function readHealth(options: HealthOptions, startedAtMs: number): Promise<Health> {
  const { services, version, roles, clusterId, clock } = options;
  const [store, queue] = await Promise.all([storeHealth(options), queueHealth(options)]);
  const components: Record<string, ComponentHealth> = { ...defined({ store }), queue };
  for (const service of services) components[service.name] = serviceHealth(service);
  const areAllOk = Object.values(components).every(({ status }) => status === "ok");
  return {
    status: isDown(options, store ?? queue) ? "down" : areAllOk ? "ok" : "degraded",
    version,
    role: roles.join(","),
    cluster_id: clusterId,
    uptime_seconds: Math.max(0, Math.floor((clock.nowMs() - startedAtMs) / 1000)),
    components,
  };
}

/** True if the process's main part is down, and the process cannot serve from memory.
 *  @param mainPart the store's health, or the queue's health in a process without a store */
function isDown({ servesFromMemory }: HealthOptions, mainPart: ComponentHealth): boolean {
  return mainPart.status === "down" && !servesFromMemory();
}

/** A process is ready if its store answers (its queue, in a process without a store) and its services have no error. A
 *  process that serves from memory is ready even if the store is down or a dispensable service has an error, because
 *  the other gateways then usually have the same error.
 *  @returns the reasons why the process is not ready; empty if it is ready */
async function reasonsNotReady(options: HealthOptions): Promise<string[]> {
  const { services, servesFromMemory, draining } = options;
  if (draining.aborted) return ["the process is about to stop"];
  const mainPart = (await storeHealth(options)) ?? (await queueHealth(options));
  const needed = services.filter(({ name }) => !notNeeded.has(name) && (!servesFromMemory() || !dispensable.has(name)));
  const parts = [isDown(options, mainPart) ? mainPart : okay, ...needed.map(serviceHealth)];
  return parts.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
}

const okay: ComponentHealth = { status: "ok" };

async function storeHealth({ store, engine, notice, clock }: HealthOptions): Promise<ComponentHealth | undefined> {
  if (store === undefined) return undefined;
  try {
    await within(clock, probeTimeoutMs, () => store.ping());
    const change = notice();
    const isLoss = change?.kind === "went_back";
    const activity = [engine(), isLoss ? undefined : change?.text].filter((part) => part !== undefined).join("; ");
    const detail = activity === "" ? {} : { activity };
    return isLoss ? { status: "degraded", reason: change.text, ...detail } : { status: "ok", ...detail };
  } catch (error) {
    return { status: "down", reason: `the store does not answer: ${messageOf(error)}` };
  }
}

async function queueHealth({ queue, clock }: HealthOptions): Promise<ComponentHealth> {
  try {
    const {
      deadMessages: dead,
      deadCapacityMessages: deadCapacity,
      readyMessages: ready,
      inFlightMessages: inFlight,
      capacityMessages: capacity,
    } = await within(clock, probeTimeoutMs, () => queue.stats());
    const reasons: string[] = [];
    if (dead > 0) reasons.push(deadLettersText(dead, deadCapacity));
    if (ready + inFlight >= capacity) {
      reasons.push(
        `the queue is full (${ready + inFlight} of ${capacity} messages): streamers wait for the collectors`,
      );
    }
    return reasons.length === 0 ? okay : { status: "degraded", reason: reasons.join("; ") };
  } catch (error) {
    return { status: "down", reason: `the queue does not answer: ${messageOf(error)}` };
  }
}

/** From this share of the limit on, /health says what happens at the limit. */
const nearLimit = 0.5;

function deadLettersText(dead: number, capacity: number): string {
  const text = `${dead} dead letter(s); /api/v1/pipeline/dead-letters names the error of each`;
  if (dead < capacity * nearLimit) return text;
  return `${text}; when there are more than ${capacity} (QUEUE_MAX_DEAD_LETTERS), the oldest are deleted with their records`;
}

function serviceHealth(service: Service): ComponentHealth {
  const [reason, activity] = [service.error(), service.activity()];
  const detail = defined({ activity });
  return reason === undefined ? { status: "ok", ...detail } : { status: "degraded", reason, ...detail };
}

/** The state of a process in short, as other processes show it. */
export interface HealthReport {
  /** The status of /health. */
  readonly health: Health["status"];
  /** The reason of each part that is not ok. */
  readonly errors: string[];
  /** True if /health/ready answers 200. */
  readonly isReady: boolean;
}

/** Reads the state of a process; never throws. */
export async function reportHealth(options: HealthOptions): Promise<HealthReport> {
  const [health, reasons] = await Promise.all([readHealth(options, options.clock.nowMs()), reasonsNotReady(options)]);
  const errors = Object.values(health.components).flatMap(({ reason }) => reason ?? []);
  return { health: health.status, errors, isReady: reasons.length === 0 };
}

const mainPartName = "The store (in a process without a store, the queue)";

const healthDetail = operation({
  id: "getHealth",
  tag: "operations",
  access: { scope: "read", selectors: "refused", page: "health" },
  summary: "State of the process and its parts",
  description: "200 if the status is ok or degraded, 503 if it is down. Each part that is not ok has a reason.",
  plain: healthSchema,
  plain503: `${mainPartName} does not answer, and the process cannot serve from memory`,
  errors: [400, 500],
});

const liveDetail = operation({
  id: "getLiveness",
  tag: "operations",
  access: { scope: "open" },
  summary: "Whether the process answers",
  description: "For a liveness probe: 200 while the process runs, regardless of the state of its parts.",
  plain: probeSchema,
  errors: [400, 500],
});

const readyDetail = operation({
  id: "getReadiness",
  tag: "operations",
  access: { scope: "open" },
  summary: "Whether the process should get traffic",
  description:
    "For a readiness probe: 200 while the store (in a process without a store, the queue) answers and the services have " +
    "no error; otherwise 503 with the reasons. A gateway with the fleet in memory is ready without the store. A process " +
    "that is about to stop is not ready.",
  plain: probeSchema,
  plain503: `${mainPartName} does not answer, a service has an error, or the process is about to stop`,
  errors: [400, 500],
});
