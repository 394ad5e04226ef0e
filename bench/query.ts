import { parseArgs } from "node:util";
import { startPostgres } from "../scripts/services/postgres.ts";
import type { RecordBatch } from "../src/domain/batch.ts";
import { type OpenStore } from "../src/pipeline/store/open-pglite-store.ts";
import { openPostgresStore } from "../src/pipeline/store/open-postgres-store.ts";
import { batchesOf, type Shape } from "./ingest/shapes.ts";
import { startVictoriaMetrics, type VictoriaMetrics } from "./peers/victoria-metrics.ts";

// How fast history answers, on TimescaleDB through the queries that the gateway uses, against VictoriaMetrics with the same
// data and the same questions over HTTP; the answers are compared.

const { values } = parseArgs({
  options: {
    gpus: { type: "string", default: "5000" },
    instants: { type: "string", default: "200" },
    runs: { type: "string", default: "200" },
  },
});
const [gpus, instants, runs] = [Number(values.gpus), Number(values.instants), Number(values.runs)];
const metricsPerRecord = 10;
const stepMs = 15_000;
const firstMs = Date.UTC(2025, 6, 18);
const endMs = firstMs + (instants - 1) * stepMs;
const hourStartMs = Math.ceil((endMs - 3_600_000) / 60_000) * 60_000;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const shape: Shape = {
  name: "scrape",
  metricsOf: () => Array.from({ length: metricsPerRecord }, (_, index) => index),
  gpusPerBatch: gpus,
};

/** @returns milliseconds of each run, sorted */
async function timed(count: number, ask: (run: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < count; run += 1) {
    const started = performance.now();
    await ask(run);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b);
}

const shown = (times: readonly number[]): string =>
  `p50 ${(times[Math.floor(times.length / 2)] ?? NaN).toFixed(1)} ms, p99 ${(times[Math.floor(times.length * 0.99)] ?? NaN).toFixed(1)} ms`;

const uuidOf = (gpu: number): string => `GPU-${String(gpu).padStart(8, "0")}`;

async function load(store: OpenStore, peer: VictoriaMetrics): Promise<void> {
  let index = 0;
  for (let instant = 0; instant < instants; instant += 20) {
    const batches = batchesOf({ ...shape, recordsPerBatch: gpus }, Math.min(20, instants - instant), instant);
    for (const batch of batches) {
      const place = (at: number) => ({ offset: at, line: at });
      const source = { sourceId: "bench", from: place(index), to: place(index + 1) };
      await store.store.ingest({ messageId: String(index), idempotencyKey: String(index), source, batch });
      index += 1;
    }
    await peer.importLines(linesOf(batches));
  }
  await peer.flush();
}

/** The same samples, a line a GPU and metric. */
function linesOf(batches: readonly RecordBatch[]): string {
  const lines: string[] = [];
  for (let gpu = 0; gpu < gpus; gpu += 1) {
    const { uuid, hostname } = batches[0]?.gpus[gpu] ?? { uuid: "", hostname: "" };
    for (const [name] of batches[0]?.columns ?? []) {
      const line = { metric: { __name__: name, uuid, hostname }, values: [] as number[], timestamps: [] as number[] };
      for (const batch of batches) {
        line.values.push(batch.columns.get(name)?.[gpu] ?? NaN);
        line.timestamps.push(batch.timesMs[gpu] ?? NaN);
      }
      lines.push(JSON.stringify(line));
    }
  }
  return lines.join("\n");
}

const ask = async (url: string): Promise<Response> => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
  return response;
};

interface PromAnswer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value?: [number, string];
      readonly values?: readonly [number, string][];
    }[];
  };
}

function compare(what: string, ours: ReadonlyMap<string, number>, theirs: ReadonlyMap<string, number>): void {
  let different = 0;
  for (const [key, value] of ours) {
    const other = theirs.get(key) ?? NaN;
    // sums of averages are added in another order
    if (!(Math.abs(value - other) <= 1e-9 * Math.max(1, Math.abs(value)))) different += 1;
  }
  print(`  ${what}: ${ours.size} values here, ${theirs.size} there, ${different} different`);
  if (different > 0 || ours.size !== theirs.size) process.exitCode = 1;
}

async function lastHundred({ queries }: OpenStore, peer: VictoriaMetrics): Promise<void> {
  const startMs = endMs - 99 * stepMs;
  const ours = await timed(runs, (run) => queries.records({ uuid: uuidOf((run * 37) % gpus), limit: 100 }));
  const exportUrl = (gpu: number) =>
    `${peer.url}/api/v1/export?match[]={uuid="${uuidOf(gpu)}"}&start=${startMs / 1000}&end=${endMs / 1000}`;
  const theirs = await timed(runs, async (run) => (await ask(exportUrl((run * 37) % gpus))).text());
  print(`last 100 points of one GPU: ${shown(ours)}; VictoriaMetrics ${shown(theirs)}`);
  const { elements } = await queries.records({ uuid: uuidOf(7), limit: 100 });
  const mine = new Map(
    elements.flatMap(({ timeMs, metrics }) =>
      Object.entries(metrics).map(([name, value]) => [`${name}@${timeMs}`, value] as const),
    ),
  );
  const other = new Map<string, number>();
  for (const line of (await (await ask(exportUrl(7))).text()).trim().split("\n")) {
    const {
      metric,
      values: each,
      timestamps,
    } = JSON.parse(line) as { metric: { __name__: string }; values: number[]; timestamps: number[] };
    timestamps.forEach((timeMs, index) => other.set(`${metric.__name__}@${timeMs}`, each[index] ?? NaN));
  }
  compare("answers", mine, other);
}

async function latestOfAll({ queries }: OpenStore, peer: VictoriaMetrics): Promise<void> {
  const some = Math.ceil(runs / 10);
  const ours = await timed(some, () => queries.latest({}));
  const url = `${peer.url}/api/v1/query?query=${encodeURIComponent('last_over_time({uuid!=""}[1m])')}&time=${endMs / 1000}&nocache=1`;
  const theirs = await timed(some, async () => (await ask(url)).text());
  print(`latest of ${gpus} GPUs: ${shown(ours)}; VictoriaMetrics ${shown(theirs)} (${some} runs)`);
  const mine = new Map(
    (await queries.latest({})).flatMap(({ gpu, metrics }) =>
      Object.entries(metrics).map(([name, value]) => [`${gpu.uuid} ${name}`, value] as const),
    ),
  );
  // last_over_time drops the name of a metric: asked one by one
  const other = new Map<string, number>();
  for (const name of Object.keys((await queries.latest({ uuid: uuidOf(0) }))[0]?.metrics ?? {})) {
    const one = `${peer.url}/api/v1/query?query=${encodeURIComponent(`last_over_time(${name}[1m])`)}&time=${endMs / 1000}&nocache=1`;
    for (const { metric, value } of ((await (await ask(one)).json()) as PromAnswer).data.result)
      other.set(`${metric["uuid"]} ${name}`, Number(value?.[1]));
  }
  compare("answers", mine, other);
}

async function byHost({ queries }: OpenStore, peer: VictoriaMetrics): Promise<void> {
  const some = Math.ceil(runs / 10);
  const metric = "temperature";
  const hosts = Math.ceil(gpus / 8);
  const untilMs = Math.floor((endMs - 60_000) / 60_000) * 60_000;
  const filter = {
    groupBy: "host",
    metrics: [metric],
    startMs: hourStartMs,
    endMs: untilMs,
    resolution: "1m",
    limit: hosts * 61,
  } as const;
  const ours = await timed(some, () => queries.aggregates(filter));
  // a window that ends just before the next minute's first sample
  const expression = `sum(sum_over_time(${metric}[1m])) by (hostname) / sum(count_over_time(${metric}[1m])) by (hostname)`;
  const url = `${peer.url}/api/v1/query_range?query=${encodeURIComponent(expression)}&start=${(hourStartMs + 59_999) / 1000}&end=${(untilMs + 59_999) / 1000}&step=60s&nocache=1`;
  const theirs = await timed(some, async () => (await ask(url)).text());
  print(
    `1-minute average of ${hosts} hosts over the last hour: ${shown(ours)}; VictoriaMetrics ${shown(theirs)} (${some} runs)`,
  );
  const mine = new Map(
    (await queries.aggregates(filter)).map(
      ({ timeMs, group, metrics }) => [`${group["hostname"]}@${timeMs}`, metrics[metric]?.avg ?? NaN] as const,
    ),
  );
  const other = new Map<string, number>();
  for (const { metric: labels, values: each } of ((await (await ask(url)).json()) as PromAnswer).data.result) {
    for (const [seconds, value] of each ?? [])
      other.set(`${labels["hostname"]}@${Math.round(seconds * 1000) - 59_999}`, Number(value));
  }
  compare("answers", mine, other);
}

const server = await startPostgres();
const peer = await startVictoriaMetrics();
const opened = await openPostgresStore({ url: server.url, migrate: true });
try {
  await load(opened, peer);
  print(
    `${gpus * instants * metricsPerRecord} samples: ${gpus} GPUs, ${instants} instants, ${metricsPerRecord} metrics`,
  );
  await lastHundred(opened, peer);
  await latestOfAll(opened, peer);
  await byHost(opened, peer);
} finally {
  await opened.close();
  await Promise.all([server.stop(), peer.stop()]);
}
process.exit();
