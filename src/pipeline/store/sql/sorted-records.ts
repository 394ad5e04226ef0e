import type { RecordBatch } from "../../../domain/batch.ts";

type Records = Pick<RecordBatch, "recordCount" | "gpuIndexes" | "timesMs">;

/** Sorts the records of a batch by their GPU's key, then by time.
 *  @param keys gpu_key by index in the batch's `gpus`
 *  @returns the records' indexes */
export function sortedRecords({ recordCount, gpuIndexes, timesMs }: Records, keys: Float64Array): Uint32Array {
  const order = byGpu(gpuIndexes, keys);
  const keyOf = (record: number): number => keys[gpuIndexes[record] as number] as number;
  for (let from = 0; from < recordCount;) {
    const key = keyOf(order[from] as number);
    let to = from + 1;
    let isSorted = true;
    for (; to < recordCount && keyOf(order[to] as number) === key; to += 1) {
      isSorted &&= (timesMs[order[to] as number] as number) >= (timesMs[order[to - 1] as number] as number);
    }
    // inputs nearly always have a GPU's records in the order of time
    if (!isSorted) order.subarray(from, to).sort((a, b) => (timesMs[a] as number) - (timesMs[b] as number));
    from = to;
  }
  return order;
}

/** A counting sort: a batch has many records and few GPUs. */
function byGpu(gpuIndexes: Uint32Array, keys: Float64Array): Uint32Array {
  const counts = new Uint32Array(keys.length);
  for (const gpu of gpuIndexes) counts[gpu] = (counts[gpu] as number) + 1;
  const gpus = Uint32Array.from({ length: keys.length }, (_, gpu) => gpu);
  gpus.sort((a, b) => (keys[a] as number) - (keys[b] as number));
  const next = new Uint32Array(keys.length);
  let place = 0;
  for (const gpu of gpus) {
    next[gpu] = place;
    place += counts[gpu] as number;
  }
  const order = new Uint32Array(gpuIndexes.length);
  gpuIndexes.forEach((gpu, record) => {
    order[next[gpu] as number] = record;
    next[gpu] = (next[gpu] as number) + 1;
  });
  return order;
}
