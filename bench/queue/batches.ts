import { SimulatedSource } from "../../src/pipeline/source/simulated/simulated-source.ts";
import { systemClock } from "../../src/kit/clock.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";

/** Batches of a simulated fleet, about `samples` samples each, as a streamer would publish them. */
export async function simulatedBatches(count: number, samples: number): Promise<RecordBatch[]> {
  const hosts = Math.ceil(samples / 17 / 8);
  const fleet = { hosts, gpusPerHost: 8, seed: 1, intervalMs: 100, clusterId: "bench" };
  const source = new SimulatedSource({ ...fleet, clock: systemClock, batchMaxSamples: samples });
  const halt = new AbortController();
  const batches: RecordBatch[] = [];
  for await (const { batch } of source.read(-Infinity, halt.signal)) {
    if (batch.tally.samples > samples / 2) batches.push(batch);
    if (batches.length === count) halt.abort();
  }
  return batches;
}
