import type { RecordBatch } from "./batch.ts";

/** A record that is later than the present by more than this is of the future: clocks that a server sets differ by less. */
export const futureMs = 300_000;

/** True if an instant is of the future. */
export function isFuture(timeMs: number, nowMs: number): boolean {
  return timeMs > nowMs + futureMs;
}

/** Records of the future. They are stored, because they may be what was meant. */
export interface FutureRecords {
  readonly count: number;
  /** The first of them. */
  readonly uuid: string;
  readonly hostname: string;
  readonly timeMs: number;
}

/** @returns undefined if a batch has no record of the future */
export function futureRecordsOf(
  { gpus, gpuIndexes, timesMs }: Pick<RecordBatch, "gpus" | "gpuIndexes" | "timesMs">,
  nowMs: number,
): FutureRecords | undefined {
  const latestMs = nowMs + futureMs;
  let count = 0;
  let first = 0;
  for (let record = timesMs.length - 1; record >= 0; record -= 1) {
    if ((timesMs[record] as number) <= latestMs) continue;
    count += 1;
    first = record;
  }
  const gpu = gpus[gpuIndexes[first] as number];
  if (count === 0 || gpu === undefined) return undefined;
  return { count, uuid: gpu.uuid, hostname: gpu.hostname, timeMs: timesMs[first] as number };
}
