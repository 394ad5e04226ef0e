import type { RecordPlace } from "../../../../db/sql/matching-places.ts";
import { type GpuSelector, restrictsHolders, selectsHeld } from "../../../../domain/gpu-selector.ts";
import { sorted } from "../../../../kit/sorted.ts";
import type { HistoryPart } from "./history-part.ts";
import { firstFrom } from "./shared-times.ts";

/** The place of a record in a block. */
export interface BlockPlace extends RecordPlace {
  readonly part: HistoryPart;
  /** Its place in the part. */
  readonly index: number;
  /** True: the part has all columns. False: the record's values still have to be read. */
  readonly isWhole: boolean;
}

/** Records of a block that may be part of a page: from a place up to another one, which is not included. */
interface Candidates {
  readonly part: HistoryPart;
  /** The indexes in the part of those that are selected, ascending; undefined: all are. */
  readonly indexes: Uint32Array | undefined;
  readonly from: number;
  readonly to: number;
}

/** The records of a part in which a workload that is selected held the GPU.
 *  @param bounds the indexes of the first one that a place in the history does not exclude, and of the one after the last one */
export function candidatesOf(
  part: HistoryPart,
  gpus: GpuSelector,
  [first, end]: readonly [number, number] = [0, part.timesMs.length],
): Candidates {
  if (!restrictsHolders(gpus)) return { part, indexes: undefined, from: first, to: end };
  const indexes: number[] = [];
  let from = 0;
  for (const { records, occupants } of part.runs) {
    const to = from + records;
    if (selectsHeld(gpus, occupants)) {
      for (let index = Math.max(from, first); index < Math.min(to, end); index += 1) indexes.push(index);
    }
    from = to;
  }
  return { part, indexes: Uint32Array.from(indexes), from: 0, to: indexes.length };
}

/** The bounds of the records of a part that come after a place of the history, in the order of a page. */
export function boundsAfter(
  { gpuKey, timesMs }: HistoryPart,
  place: RecordPlace | undefined,
  isForward: boolean,
): readonly [number, number] {
  if (place === undefined) return [0, timesMs.length];
  const { timeMs } = place;
  if (isForward) return [firstFrom(timesMs, gpuKey > place.gpuKey ? timeMs : timeMs + 1), timesMs.length];
  return [0, firstFrom(timesMs, gpuKey < place.gpuKey ? timeMs + 1 : timeMs)];
}

/** Orders places of the history by their instants, then by the keys of their GPUs. */
export function byPlace(a: RecordPlace, b: RecordPlace): number {
  return a.timeMs - b.timeMs || a.gpuKey - b.gpuKey;
}

/** What is left of candidates. */
interface Left extends Candidates {
  from: number;
  to: number;
}

/** So many blocks are often of one GPU, and then come one after another. */
const fewBlocks = 8;

/** Takes the places of records from many blocks in the order of the history, newest first or oldest first, a few at a time. */
export class BlockPlaces {
  private left: Left[] = [];

  /** @param isWhole true: the parts have all columns */
  constructor(
    private readonly isForward: boolean,
    private readonly isWhole = false,
  ) {}

  add(candidates: readonly Candidates[]): this {
    for (const each of candidates) if (each.from < each.to) this.left.push({ ...each });
    return this;
  }

  /** Forgets all places but the next `count`, and the blocks that have none of them. */
  keep(count: number): void {
    const untilMs = this.instantOf(count);
    let excess = -count;
    for (const left of this.left) {
      const kept = this.countUntil(left, untilMs);
      if (this.isForward) left.to = left.from + kept;
      else left.from = left.to - kept;
      excess += kept;
    }
    this.left = this.left.filter(({ from, to }) => from < to);
    if (excess <= 0) return;
    // of one instant, many GPUs have a record
    const keys = this.left.filter((left) => this.lastMs(left) === untilMs).map(({ part }) => part.gpuKey);
    const dropped = new Set(keys.sort((a, b) => (this.isForward ? b - a : a - b)).slice(0, excess));
    for (const left of this.left) {
      if (!dropped.has(left.part.gpuKey) || this.lastMs(left) !== untilMs) continue;
      if (this.isForward) left.to -= 1;
      else left.from += 1;
    }
    this.left = this.left.filter(({ from, to }) => from < to);
  }

  /** Takes the next places: at least so many, or all that are left. */
  take(count: number): BlockPlace[] {
    const inTurn = this.left.length <= fewBlocks ? this.inTurn() : undefined;
    if (inTurn !== undefined) {
      let first: BlockPlace[] = [];
      for (const left of inTurn) first = first.concat(this.takeOf(left, count - first.length));
      return first;
    }
    const untilMs = this.instantOf(count);
    const taken = this.left.flatMap((left) => this.takeOf(left, this.countUntil(left, untilMs)));
    return sorted(taken, this.isForward ? byPlace : (a, b) => byPlace(b, a));
  }

  /** The blocks in the order of the history; undefined if records of one are between those of another. */
  private inTurn(): Left[] | undefined {
    const blocks = this.left.filter(({ from, to }) => from < to);
    blocks.sort((a, b) => timeAt(a, a.from) - timeAt(b, b.from));
    for (let index = 1; index < blocks.length; index += 1) {
      const [before, left] = [blocks[index - 1] as Left, blocks[index] as Left];
      if (timeAt(before, before.to - 1) >= timeAt(left, left.from)) return undefined;
    }
    return this.isForward ? blocks : blocks.reverse();
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

  /** The instant of the place that is taken last. */
  private lastMs(left: Left): number {
    return timeAt(left, this.isForward ? left.to - 1 : left.from);
  }

  private countUntil(left: Left, atMs: number): number {
    return this.isForward ? firstAfter(left, atMs) - left.from : left.to - firstAfter(left, atMs - 1);
  }

  /** Takes the next places of a block: so many, or all that are left. */
  private takeOf(left: Left, most: number): BlockPlace[] {
    const count = Math.min(most, left.to - left.from);
    const first = this.isForward ? left.from : left.to - count;
    if (this.isForward) left.from += count;
    else left.to -= count;
    const { part } = left;
    const { gpuKey, timesMs } = part;
    const { isWhole } = this;
    const places: BlockPlace[] = [];
    for (let taken = 0; taken < count; taken += 1) {
      const index = indexAt(left, this.isForward ? first + taken : first + count - 1 - taken);
      places.push({ part, index, isWhole, gpuKey, timeMs: timesMs[index] as number });
    }
    return places;
  }
}

function indexAt({ indexes }: Left, at: number): number {
  return indexes === undefined ? at : (indexes[at] as number);
}

function timeAt(left: Left, at: number): number {
  return left.part.timesMs[indexAt(left, at)] as number;
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
