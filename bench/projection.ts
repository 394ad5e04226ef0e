import { systemClock } from "../src/kit/clock.ts";
import type { RecordBatch } from "../src/domain/batch.ts";
import { FleetProjection } from "../src/routes/fleet/fleet-projection.ts";
import { MemoryHotTier } from "../src/pipeline/hot/memory/memory-hot-tier.ts";
import { SimulatedSource } from "../src/pipeline/source/simulated/simulated-source.ts";
import { FleetAnswers } from "../src/routes/answers/fleet-answers.ts";
import { median, quantile } from "./support/statistics.ts";
import { print } from "./support/output.ts";
import { unshownLog } from "../dev/unshown-log.ts";

// Measures a simulated fleet in a gateway's memory: the response times of /api/v1/telemetry/latest and /api/v1/gpus, the time
// to apply changes of all records, and the memory per GPU. `bun bench/projection.ts [gpus ...]` measures each size of fleet in
// a separate process, because the memory of an earlier fleet would distort the next result.

const gpusPerHost = 8;
const rounds = 220;
/** Rounds that are not counted: a real server has already run for a while. */
const warmUpRounds = 20;
/** The API's largest page. */
const pageMax = 10_000;

/** One reading of a simulated fleet, as batches: a record of each GPU that is not silent. */
async function readingOf(gpus: number): Promise<RecordBatch[]> {
  const hosts = Math.ceil(gpus / gpusPerHost);
  const fleet = { hosts, gpusPerHost, seed: 1, intervalMs: 1000, clusterId: "bench" };
  const source = new SimulatedSource({ ...fleet, clock: systemClock, batchMaxSamples: 50_000 });
  const batches: RecordBatch[] = [];
  let readAtMs: number | undefined;
  for await (const { batch, timeMs } of source.read(-Infinity, new AbortController().signal)) {
    readAtMs ??= timeMs;
    if (timeMs !== readAtMs) break;
    batches.push(batch);
  }
  return batches;
}

/** The same records at a later time, so that every record counts as changed. */
function later(batch: RecordBatch, seconds: number): RecordBatch {
  return { ...batch, timesMs: batch.timesMs.map((timeMs) => timeMs + seconds * 1000) };
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1024 / 1024);

async function measure(gpus: number): Promise<void> {
  const batches = await readingOf(gpus);
  Bun.gc(true);
  const before = process.memoryUsage();
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const store = {
    gpus: () => Promise.resolve([]),
    latest: () => Promise.resolve([]),
    revision: () => Promise.resolve(""),
  };
  const fleet = new FleetProjection({ hotTier, store, clock: systemClock, log: unshownLog() });
  await fleet.start();
  const answers = new FleetAnswers(fleet);
  /** @returns the time until the response is ready to be sent, and its size */
  const ask = async (path: string, make: () => string): Promise<[ms: number, bytes: number]> => {
    const startedAtMs = performance.now();
    const response = await answers.answer(new Request(`http://localhost${path}`), make);
    const ms = performance.now() - startedAtMs;
    return [ms, (await response.arrayBuffer()).byteLength];
  };
  const latest = (): Promise<[number, number]> =>
    ask(`/api/v1/telemetry/latest?limit=${pageMax}`, () => answers.latestList({ limit: pageMax }));
  const appliedMs: number[] = [];
  const changed: number[] = [];
  const unchanged: number[] = [];
  let bytes = 0;
  for (let round = 0; round < rounds; round += 1) {
    const startedAtMs = performance.now();
    for (const batch of batches) await hotTier.write(later(batch, round));
    const applied = performance.now() - startedAtMs;
    const [ms, size] = await latest();
    bytes = size;
    const [unchangedMs] = await latest();
    if (round < warmUpRounds) continue;
    appliedMs.push(applied);
    changed.push(ms);
    unchanged.push(unchangedMs);
  }
  const [listMs, listBytes] = await ask("/api/v1/gpus", () => answers.gpuList({}));
  Bun.gc(true);
  const after = process.memoryUsage();
  const gpuCount = fleet.members().length;
  const stateBytes = after.heapUsed + after.external - before.heapUsed - before.external;
  print(
    [
      `${gpuCount} GPUs`,
      `latest of ${Math.min(gpuCount, pageMax)} after all changed: median ${median(changed).toFixed(2)} ms, p99 ${quantile(changed, 0.99).toFixed(2)} ms (${mebibytes(bytes)} MiB); unchanged: median ${median(unchanged).toFixed(2)} ms`,
      `applying all changes: median ${median(appliedMs).toFixed(0)} ms, ${((median(appliedMs) * 1000) / gpuCount).toFixed(1)} us per record`,
      `/api/v1/gpus after a change: ${listMs.toFixed(1)} ms (${mebibytes(listBytes)} MiB)`,
      `state: ${Math.round(stateBytes / gpuCount)} bytes per GPU; process: ${mebibytes(after.rss)} MiB resident, ${mebibytes(before.rss)} MiB before the fleet was loaded`,
    ].join("\n  "),
  );
  await fleet.stop(AbortSignal.abort());
}

const [first, ...sizes] = process.argv.slice(2);
if (first === "--one") await measure(Number(sizes[0]));
else {
  const wanted = first === undefined ? ["1000", "10000", "100000"] : [first, ...sizes];
  for (const size of wanted) {
    const child = Bun.spawn([process.execPath, import.meta.path, "--one", size], {
      stdout: "inherit",
      stderr: "inherit",
    });
    if ((await child.exited) !== 0) process.exit(1);
  }
}
process.exit(0);
