import type { RecordPlace } from "../../../../db/sql/matching-places.ts";
import { type GpuSelector, selectsHeld } from "../../../../domain/gpu-selector.ts";
import type { HistoryPart } from "./history-part.ts";

/** The place of a record in a block. */
export interface BlockPlace extends RecordPlace {
  readonly part: HistoryPart;
  /** Its place in the part. */
  readonly index: number;
}

/** Records of a block that may be part of a page: their indexes in the part, ascending. */
interface Candidates {
  readonly part: HistoryPart;
  readonly indexes: Uint32Array;
}

/** The records of a part that a place in the history does not exclude, and in which a workload that is selected held the GPU. */
export function candidatesOf(
  part: HistoryPart,
  gpus: GpuSelector,
  isIncluded: (place: RecordPlace) => boolean = () => true,
): Candidates {
  const { gpuKey, timesMs, runs } = part;
  const indexes: number[] = [];
  let from = 0;
  for (const { records, occupants } of runs) {
    const to = from + records;
    for (let index = from; index < to && selectsHeld(gpus, occupants); index += 1) {
      if (isIncluded({ gpuKey, timeMs: timesMs[index] as number })) indexes.push(index);
    }
    from = to;
  }
  return { part, indexes: Uint32Array.from(indexes) };
}

/** Orders places of the history by their instants, then by the keys of their GPUs. */
export function byPlace(a: RecordPlace, b: RecordPlace): number {
  return a.timeMs - b.timeMs || a.gpuKey - b.gpuKey;
}

/** What is left of candidates: the indexes from `from` to `to`. */
interface Left extends Candidates {
  from: number;
  to: number;
}

/** Takes the places of records from many blocks in the order of the history, newest first or oldest first, a few at a time. */
export class BlockPlaces {
  private readonly left: Left[];

  constructor(
    candidates: readonly Candidates[],
    private readonly isForward: boolean,
  ) {
    this.left = candidates.map((each) => ({ ...each, from: 0, to: each.indexes.length }));
  }

  /** Takes the next places: at least so many, or all that are left. */
  take(count: number): BlockPlace[] {
    const untilMs = this.instantOf(count);
    const taken = this.left.flatMap((left) => this.takeUntil(left, untilMs));
    return taken.sort(this.isForward ? byPlace : (a, b) => byPlace(b, a));
  }

  /** Finds the instant up to which there are at least `count` places. */
  private instantOf(count: number): number {
    const ends = this.left
      .filter(({ from, to }) => from < to)
      .map((left) => [timeAt(left, left.from), timeAt(left, left.to - 1)]);
    let low = ends.reduce((least, [first]) => Math.min(least, first as number), Infinity);
    let high = ends.reduce((greatest, [, last]) => Math.max(greatest, last as number), -Infinity);
    while (low < high) {
      const middle = this.isForward ? Math.floor((low + high) / 2) : Math.ceil((low + high) / 2);
      const isEnough = this.left.reduce((sum, left) => sum + this.countUntil(left, middle), 0) >= count;
      if (this.isForward === isEnough) high = this.isForward ? middle : middle - 1;
      else low = this.isForward ? middle + 1 : middle;
    }
    return low;
  }

  private countUntil(left: Left, atMs: number): number {
    return this.isForward ? firstAfter(left, atMs) - left.from : left.to - firstAfter(left, atMs - 1);
  }

  private takeUntil(left: Left, atMs: number): BlockPlace[] {
    const count = this.countUntil(left, atMs);
    const first = this.isForward ? left.from : left.to - count;
    if (this.isForward) left.from += count;
    else left.to -= count;
    return Array.from(left.indexes.subarray(first, first + count), (index) => ({
      part: left.part,
      index,
      gpuKey: left.part.gpuKey,
      timeMs: left.part.timesMs[index] as number,
    }));
  }
}

function timeAt({ part, indexes }: Left, at: number): number {
  return part.timesMs[indexes[at] as number] as number;
}

/** @returns the place of the first of those left that is after an instant, of whole milliseconds; `to` if none is */
function firstAfter(left: Left, atMs: number): number {
  let [low, high] = [left.from, left.to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timeAt(left, middle) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
