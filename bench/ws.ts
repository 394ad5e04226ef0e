import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startEtcd } from "../dev/servers/etcd.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { fanOut, type FanOutKind } from "./ws/fan-out.ts";
import { connectReaders, connectSilent, type Latency, residentMebibytes } from "./ws/latency.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";
import { until } from "../dev/until.ts";

// The WebSocket at /ws. Fan-out: the cost of sending to a thousand subscribers, compared with bare Bun's publish of prepared texts.
// Latency: the time of a record from its instant through streamer, queue, collector and store to a client. Silent: the effect of
// clients that never read on the memory and on the other clients. `bun bench/ws.ts [--only fan-out,embedded,etcd,silent]`.

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "fan-out,embedded,etcd,silent" },
  },
});
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];

const fanOutLimit = 0.6;
const embeddedLimitMs = 100;
const etcdLimitMs = 500;
/** The allowed increase of the other clients' latency beside 50 clients that do not read. On a shared machine, less is noise. */
const unchangedFactor = 1.25;
const unchangedMs = 10;
/** The allowed memory for 50 clients that do not read: Bun's buffer up to its mark, the records that are published between two
 *  checks, and the newest record of each GPU. */
const silentLimitMebibytes = 100;

/** 247 GPUs, as in the file. */
const fleet = { SIM_HOSTS: "19", SIM_GPUS_PER_HOST: "13" };

function judge(isMet: boolean, text: string): void {
  print(`${text}${isMet ? "" : ": MISSED"}`);
  if (!isMet) process.exitCode = 1;
}

const shown = ({ messages, p50Ms, p99Ms, maxMs }: Latency): string =>
  `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, worst ${maxMs.toFixed(0)} ms of ${grouped(messages)} messages`;

async function measureFanOut(): Promise<void> {
  for (const perTurn of [1, 16]) {
    print(`1,000 subscribers to one of 250 GPUs each, ${perTurn} record(s) of a GPU in a turn of the event loop`);
    const ratios: Record<"feed" | "hot", number[]> = { feed: [], hot: [] };
    for (let round = 0; round < rounds; round += 1) {
      const load = { subscribers: 1000, gpus: 250, perTurn, seconds: Math.max(1, seconds / 5) };
      const perCpuSecond = async (kind: FanOutKind): Promise<number> => {
        const rate = await fanOut(kind, load);
        print(
          `  ${kind.padEnd(4)} ${grouped(rate.messagesPerSecond).padStart(9)} messages/s, ${grouped(rate.messagesPerCpuSecond).padStart(9)} per CPU-second of the server`,
        );
        return rate.messagesPerCpuSecond;
      };
      const bare = await perCpuSecond("bare");
      for (const kind of ["feed", "hot"] as const) ratios[kind].push((await perCpuSecond(kind)) / bare);
    }
    judge(
      median(ratios.feed) >= fanOutLimit,
      `fan-out: ${median(ratios.feed).toFixed(2)} of bare publish per CPU-second, at least ${fanOutLimit}; with the hot tier before it ${median(ratios.hot).toFixed(2)}`,
    );
  }
}

/** One filter for each client. Each selects one GPU of the gateway's fleet, in turn. */
async function gpuFilters(httpUrl: string, clients: number): Promise<object[]> {
  const fleetOf = async (): Promise<readonly { uuid: string }[] | false> => {
    const response = await fetch(`${httpUrl}/api/v1/gpus?limit=1000`);
    const { data } = (await response.json()) as { data: { uuid: string }[] };
    return data.length > 0 && data;
  };
  const gpus = await until(fleetOf);
  return Array.from({ length: clients }, (_, index) => ({ gpu_uuid: gpus[index % gpus.length]?.uuid }));
}

async function withPipelines(
  environments: readonly Record<string, string>[],
  work: (pipelines: readonly PipelineProcess[]) => Promise<void>,
): Promise<void> {
  const pipelines: PipelineProcess[] = [];
  try {
    for (const env of environments) {
      pipelines.push(startPipeline({ LOG_LEVEL: "warn", ...env }));
      await pipelines.at(-1)?.waitFor(/http:\/\/\S+/);
    }
    await work(pipelines);
  } finally {
    await Promise.all(pipelines.map((pipeline) => stopPipeline(pipeline)));
  }
}

/** One client subscribes to all GPUs, and one client to each GPU. */
async function measureLatency(name: string, gateway: PipelineProcess, limitMs: number): Promise<void> {
  const httpUrl = await urlOf(gateway);
  const url = `${httpUrl.replace("http:", "ws:")}/ws`;
  const clients = await connectReaders(url, [{}, ...(await gpuFilters(httpUrl, 247))]);
  await clients.measure(2);
  const latency = await clients.measure(seconds);
  clients.close();
  judge(latency.p99Ms < limitMs, `${name}, 247 GPUs x 1 Hz: ${shown(latency)}; p99 below ${limitMs} ms`);
}

async function measureEmbedded(folder: string): Promise<void> {
  await withPipelines([{ ...fleet, DATA_DIR: join(folder, "embedded") }], async ([pipeline]) =>
    measureLatency("embedded", pipeline as PipelineProcess, embeddedLimitMs),
  );
}

async function measureEtcd(): Promise<void> {
  const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  const shared = { ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url };
  const roles = ["collector", "gateway", "streamer"];
  try {
    await withPipelines(
      roles.map((ROLE) => ({ ...shared, ...fleet, ROLE })),
      async ([, gateway]) => measureLatency("through etcd and TimescaleDB", gateway as PipelineProcess, etcdLimitMs),
    );
  } finally {
    await Promise.all([etcd.stop(), database.stop()]);
  }
}

/** Runs at ten times the rate, so that the kernel's buffers for the silent clients are soon full. */
async function measureSilent(folder: string): Promise<void> {
  const env = { ...fleet, SIM_INTERVAL: "100ms", DATA_DIR: join(folder, "silent"), WS_STALL_TIMEOUT: "300s" };
  await withPipelines([env], async ([pipeline]) => {
    const { pid } = (pipeline as PipelineProcess).subprocess;
    const httpUrl = await urlOf(pipeline as PipelineProcess);
    const url = `${httpUrl.replace("http:", "ws:")}/ws`;
    const behind = async (): Promise<number> => {
      const text = await (await fetch(`${httpUrl}/metrics`)).text();
      return Number(/^telemetry_websocket_behind_connections (\d+)/m.exec(text)?.[1]);
    };
    const clients = await connectReaders(url, await gpuFilters(httpUrl, 950));
    await clients.measure(3);
    const alone = await clients.measure(seconds);
    const before = residentMebibytes(pid);
    const close = await connectSilent(url, 50);
    // polls rarely, so that these requests do not distort the measurement
    await until(async () => (await behind()) >= 50, { timeoutMs: 60_000, everyMs: 500 });
    const full = residentMebibytes(pid);
    const beside = await clients.measure(seconds);
    const after = residentMebibytes(pid);
    close();
    await clients.measure(3);
    const again = await clients.measure(seconds);
    const others = Math.max(alone.p99Ms, again.p99Ms);
    print(`  950 clients that read, 247 GPUs x 10 Hz: ${shown(alone)}`);
    print(`  beside 50 that subscribe to all and never read: ${shown(beside)}`);
    print(`  after these have left: ${shown(again)}`);
    judge(
      beside.p99Ms < Math.max(others * unchangedFactor, others + unchangedMs),
      `clients that never read: the others' p99 ${others.toFixed(0)} -> ${beside.p99Ms.toFixed(0)} ms; at most a quarter or ${unchangedMs} ms more`,
    );
    judge(
      after - before < silentLimitMebibytes,
      `memory: ${before.toFixed(0)} MiB before them, ${full.toFixed(0)} MiB with all 50 behind, ${after.toFixed(0)} MiB ${seconds} s later; at most ${silentLimitMebibytes} MiB more`,
    );
    clients.close();
  });
}

const folder = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
try {
  const chosen = new Set(values.only.split(","));
  if (chosen.has("fan-out")) await measureFanOut();
  if (chosen.has("embedded")) await measureEmbedded(folder);
  if (chosen.has("etcd")) await measureEtcd();
  if (chosen.has("silent")) await measureSilent(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit();
