import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { startEtcd } from "../../dev/servers/etcd.ts";
import { startPostgres } from "../../dev/servers/postgres.ts";
import { until } from "../../dev/until.ts";
import { print } from "../support/output.ts";
import { usageOf } from "../support/process-usage.ts";
import { median, quantile } from "../support/statistics.ts";

/** A process that receives, queues, collects and stores pushes, and shares etcd and TimescaleDB with the others. */
interface Pushed {
  readonly name: string;
  readonly url: string;
  readonly running: PipelineProcess;
}

/** What one message took. */
interface Cost {
  /** Of the process, in milliseconds. */
  readonly cpuMs: number;
  /** By the clock. */
  readonly ms: number;
}

const gpus = 8;
const pushesAtOnce = 4;

/** Measures what traces cost a collector and gateway in one process, with a real etcd and a real TimescaleDB: pushes of 8 GPUs, from the
 *  request until a gateway shows the last of them. Each round has each case once, in turn.
 *  @param shares of the traces that are recorded, by the name of the case; undefined: there are no traces */
export async function measureOnServers(
  shares: Readonly<Record<string, string | undefined>>,
  receiverUrl: string,
  { rounds, messages, metrics }: { rounds: number; messages: number; metrics: readonly string[] },
): Promise<void> {
  const [etcd, postgres] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  const cases: Pushed[] = [];
  for (const [name, share] of Object.entries(shares)) {
    const running = startPipeline({
      ...{ ROLE: "collector,gateway", ETCD_ENDPOINTS: etcd.endpoints.join(), DATABASE_URL: postgres.url },
      ...{ QUEUE_TOPIC: `traces-${name.replace(".", "-")}`, LOG_LEVEL: "warn", CLUSTER_ID: `case-${name}` },
      ...(share === undefined ? {} : tracedBy(receiverUrl, share)),
    });
    cases.push({ name, running, url: await urlOf(running) });
  }
  const load = new Load(metrics);
  for (const each of cases) await load.push(each, messages);
  const found: Record<string, Cost>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const costs: Record<string, Cost> = {};
    for (let at = 0; at < cases.length; at += 1) {
      const each = cases[(at + round) % cases.length] as Pushed;
      costs[each.name] = await load.push(each, messages);
    }
    found.push(costs);
  }
  for (const { name } of cases) report(name, found);
  for (const { running } of cases) await stopPipeline(running, "SIGTERM");
  await Promise.all([etcd.stop(), postgres.stop()]);
}

function tracedBy(url: string, share: string): Record<string, string> {
  return {
    ...{ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_MAX_QUEUE_SIZE: "100000" },
    ...{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: share },
  };
}

function report(name: string, rounds: readonly Record<string, Cost>[]): void {
  const of = (kind: keyof Cost) => rounds.map((round) => round[name]?.[kind] ?? NaN);
  const more = rounds.map((round) => (round[name]?.cpuMs ?? NaN) - (round["off"]?.cpuMs ?? NaN));
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(more, share).toFixed(3));
  print(
    `${name.padEnd(5)} ${median(of("cpuMs")).toFixed(3)} ms of processor time and ${median(of("ms")).toFixed(2)} ms by the clock a message, ` +
      `${middle} ms of processor time more than off (half of the rounds: ${low} to ${high})`,
  );
}

class Load {
  private second = Math.floor(Date.now() / 1000) - 86_400;

  constructor(private readonly metrics: readonly string[]) {}

  async push({ name, url, running }: Pushed, messages: number): Promise<Cost> {
    const bodies = Array.from({ length: messages }, () => this.body(name));
    const last = new Date(this.second * 1000).toISOString();
    const [used, began] = [usageOf([running.subprocess.pid]).cpuSeconds, performance.now()];
    let next = 0;
    const send = async (): Promise<void> => {
      for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
        const headers = { "content-type": "application/json" };
        const response = await fetch(`${url}/api/v1/telemetry`, { method: "POST", headers, body });
        if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
        await response.text();
      }
    };
    await Promise.all(Array.from({ length: pushesAtOnce }, send));
    const newest = `${url}/api/v1/gpus/GPU-${name}-0`;
    const isShown = async () => JSON.stringify(await (await fetch(newest)).json()).includes(last.replace(".000Z", ""));
    await until(isShown, { everyMs: 50, timeoutMs: 120_000 });
    const ms = (performance.now() - began) / messages;
    return { ms, cpuMs: ((usageOf([running.subprocess.pid]).cpuSeconds - used) * 1000) / messages };
  }

  private body(name: string): string {
    this.second += 1;
    const timestamp = new Date(this.second * 1000).toISOString();
    const records = Array.from({ length: gpus }, (_, gpuId) => ({
      ...{ timestamp, uuid: `GPU-${name}-${gpuId}`, gpu_id: gpuId, hostname: `host-${name}` },
      ...Object.fromEntries(this.metrics.map((metric, at) => [metric, (this.second + at + gpuId) % 90])),
    }));
    return JSON.stringify(records);
  }
}
