import type { BlockOfGpu } from "../../../../db/sql/sent-blocks.ts";
import { decodeTimes } from "../../../../domain/block/packed-block.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";

/** The instants of a block within a range. */
export interface TimesWithin {
  /** All of its instants, in whole milliseconds. */
  readonly all: Float64Array;
  /** The places of the first one within, and after the last one. */
  readonly from: number;
  readonly to: number;
  /** Those within. */
  readonly timesMs: Float64Array;
}

/** Longer instants are those of records at irregular times, which no other GPU has. */
const sharedBytesMax = 256;

/** Decodes the instants of blocks. GPUs of a host, and often of a fleet, are scraped at the same instants: what many blocks have is decoded
 *  once, and is then the same array. */
export class SharedTimes {
  private readonly known = new Map<string, TimesWithin>();

  constructor(private readonly range: TimeRange) {}

  /** @throws UndecodableBlock */
  of({ times, records }: Pick<BlockOfGpu, "times" | "records">): TimesWithin {
    if (times.length > sharedBytesMax) return this.decode(times, records);
    const key = `${records} ${Buffer.from(times.buffer, times.byteOffset, times.length).toString("latin1")}`;
    let known = this.known.get(key);
    if (known === undefined) this.known.set(key, (known = this.decode(times, records)));
    return known;
  }

  private decode(times: Uint8Array, records: number): TimesWithin {
    const all = inWholeMs(decodeTimes(times, records));
    const [from, to] = [firstFrom(all, this.range.fromMs), firstFrom(all, this.range.toMs)];
    return { all, from, to, timesMs: from === 0 && to === all.length ? all : all.subarray(from, to) };
  }
}

/** Rounds instants in place: PostgreSQL's seconds times 1000 are not always whole. */
export function inWholeMs(timesMs: Float64Array): Float64Array {
  for (let index = 0; index < timesMs.length; index += 1) timesMs[index] = Math.round(timesMs[index] as number);
  return timesMs;
}

/** @returns the index of the first instant that is not before `atMs`; their number if all are
 *  @param timesMs ascending */
export function firstFrom(timesMs: Float64Array, atMs: number): number {
  let [low, high] = [0, timesMs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timesMs[middle] as number) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
