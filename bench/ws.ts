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

// Measures the WebSocket at /ws. `fan-out`: the cost of sending to a thousand subscribers, compared with Bun's own publish of
// prepared texts. `embedded` and `etcd`: the time from a record's instant through streamer, queue, collector and store to a
// client. `silent`: how clients that never read affect the server's memory and the other clients.
//   bun bench/ws.ts [--only fan-out,embedded,etcd,silent] [--seconds 10] [--rounds 3]

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "fan-out,embedded,etcd,silent" },
  },
});
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];

/** The least allowed rate of messages per CPU-second, as a share of the rate of Bun's publish. */
const fanOutLimit = 0.6;
const embeddedLimitMs = 100;
const etcdLimitMs = 500;
/** While 50 clients do not read, the p99 latency of the others may be `unchangedFactor` times as long, or `unchangedMs` longer,
 *  whichever is more. On a shared machine, a smaller difference is noise. */
const unchangedFactor = 1.25;
const unchangedMs = 10;
/** The maximum memory that 50 clients may add if they never read. For each of them, the server holds Bun's buffer up to its
 *  high-water mark, the messages that are published between two checks, and the newest record of each GPU. */
const silentLimitMebibytes = 100;

/** 247 GPUs, as in the sample CSV. */
const fleet = { SIM_HOSTS: "19", SIM_GPUS_PER_HOST: "13" };

function judge(isMet: boolean, text: string): void {
  print(`${text}${isMet ? "" : ": MISSED"}`);
  if (!isMet) process.exitCode = 1;
}

const formatLatency = ({ messages, p50Ms, p99Ms, maxMs }: Latency): string =>
  `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, worst ${maxMs.toFixed(0)} ms of ${grouped(messages)} messages`;

async function measureFanOut(): Promise<void> {
  for (const perTurn of [1, 16]) {
    print(`1,000 subscribers, each to one of 250 GPUs; ${perTurn} record(s) per GPU per turn of the event loop`);
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
      const bunRate = await perCpuSecond("bun");
      for (const kind of ["feed", "hot"] as const) ratios[kind].push((await perCpuSecond(kind)) / bunRate);
    }
    judge(
      median(ratios.feed) >= fanOutLimit,
      `fan-out: ${median(ratios.feed).toFixed(2)} of the messages per CPU-second of Bun's publish (limit ${fanOutLimit}); ${median(ratios.hot).toFixed(2)} through the hot tier`,
    );
  }
}

/** One filter per client, each for one GPU, cycling through the gateway's fleet. */
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

/** Measures the latency of 248 clients: one subscribes to all GPUs, and each of the others to one GPU. */
async function measureLatency(name: string, gateway: PipelineProcess, limitMs: number): Promise<void> {
  const httpUrl = await urlOf(gateway);
  const url = `${httpUrl.replace("http:", "ws:")}/ws`;
  const clients = await connectReaders(url, [{}, ...(await gpuFilters(httpUrl, 247))]);
  await clients.measure(2);
  const latency = await clients.measure(seconds);
  clients.close();
  judge(latency.p99Ms < limitMs, `${name}, 247 GPUs x 1 Hz: ${formatLatency(latency)}; p99 below ${limitMs} ms`);
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

/** Runs the fleet at ten times its usual rate, so that the kernel's buffers for the silent clients are soon full. */
async function measureSilent(folder: string): Promise<void> {
  const env = { ...fleet, SIM_INTERVAL: "100ms", DATA_DIR: join(folder, "silent"), WS_STALL_TIMEOUT: "300s" };
  await withPipelines([env], async ([pipeline]) => {
    const { pid } = (pipeline as PipelineProcess).subprocess;
    const httpUrl = await urlOf(pipeline as PipelineProcess);
    const url = `${httpUrl.replace("http:", "ws:")}/ws`;
    const countBehind = async (): Promise<number> => {
      const text = await (await fetch(`${httpUrl}/metrics`)).text();
      return Number(/^telemetry_websocket_behind_connections (\d+)/m.exec(text)?.[1]);
    };
    const clients = await connectReaders(url, await gpuFilters(httpUrl, 950));
    await clients.measure(3);
    const latencyAlone = await clients.measure(seconds);
    const memoryBefore = residentMebibytes(pid);
    const close = await connectSilent(url, 50);
    // polls rarely, so that polling does not affect the memory that is measured next
    await until(async () => (await countBehind()) >= 50, { timeoutMs: 60_000, everyMs: 500 });
    const memoryWhenBehind = residentMebibytes(pid);
    const latencyWithSilent = await clients.measure(seconds);
    const memoryAfter = residentMebibytes(pid);
    close();
    await clients.measure(3);
    const latencyAfter = await clients.measure(seconds);
    const p99Ms = Math.max(latencyAlone.p99Ms, latencyAfter.p99Ms);
    print(`  950 clients that read, 247 GPUs x 10 Hz: ${formatLatency(latencyAlone)}`);
    print(`  with 50 more clients that subscribe to all GPUs and never read: ${formatLatency(latencyWithSilent)}`);
    print(`  after those 50 have disconnected: ${formatLatency(latencyAfter)}`);
    judge(
      latencyWithSilent.p99Ms < Math.max(p99Ms * unchangedFactor, p99Ms + unchangedMs),
      `clients that never read: the others' p99 ${p99Ms.toFixed(0)} -> ${latencyWithSilent.p99Ms.toFixed(0)} ms; at most a quarter or ${unchangedMs} ms more`,
    );
    judge(
      memoryAfter - memoryBefore < silentLimitMebibytes,
      `memory: ${memoryBefore.toFixed(0)} MiB before the 50 clients, ${memoryWhenBehind.toFixed(0)} MiB with all 50 behind, ${memoryAfter.toFixed(0)} MiB ${seconds} s later; at most ${silentLimitMebibytes} MiB more`,
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
