import type { BucketSums } from "../../../../domain/rollup/bucket-sums.ts";
import type { PiecesAdded } from "../../../../domain/rollup/exact-sums.ts";
import type { Groups, SpanOfGroup } from "./groups.ts";

/** The records of a part by bucket: piece `i` has those from `bounds[i]` up to `bounds[i + 1]`. */
export interface Pieces {
  /** One more than there are pieces. */
  readonly bounds: Int32Array;
  /** When the bucket of each begins. */
  readonly beginsMs: Float64Array;
}

/** The number of records of a piece. */
export function lengthOf({ bounds }: Pieces, piece: number): number {
  return (bounds[piece + 1] as number) - (bounds[piece] as number);
}

interface GroupOfPieces {
  /** The groups of the GPU. */
  readonly ofGpu: Int32Array;
  /** The group that counts; undefined: that of the GPU. */
  readonly ofEach: number | undefined;
  /** When the first bucket of the sums begins. */
  readonly fromMs: number;
  readonly sums: BucketSums;
}

/** Divides records by bucket. GPUs that are scraped at the same instants share an array of these, which is divided once. */
export class Buckets {
  private readonly known = new WeakMap<Float64Array, Pieces>();

  private groups = new Int32Array(64);
  private cells = new Int32Array(64);

  /** @param widthMs how long a bucket is */
  constructor(
    private readonly widthMs: number,
    private readonly ofGpus: Pick<Groups, "spanAt">,
  ) {}

  /** The pieces of the records from one place up to another.
   *  @param timesMs ascending */
  piecesOf(timesMs: Float64Array, { first, end }: { readonly first: number; readonly end: number }): Pieces {
    if (first > 0 || end < timesMs.length) return this.divide(timesMs, first, end);
    let pieces = this.known.get(timesMs);
    if (pieces === undefined) this.known.set(timesMs, (pieces = this.divide(timesMs, first, end)));
    return pieces;
  }

  /** The groups of a GPU in the buckets of pieces, -1 where it is not selected; of use until the next call. */
  groupsOf(gpuKey: number, { beginsMs }: Pieces): Int32Array {
    if (this.groups.length < beginsMs.length) this.groups = new Int32Array(beginsMs.length);
    let span: SpanOfGroup | undefined;
    for (let piece = 0; piece < beginsMs.length; piece += 1) {
      const beginMs = beginsMs[piece] as number;
      if (span === undefined || beginMs >= span.toMs) span = this.ofGpus.spanAt(gpuKey, beginMs);
      this.groups[piece] = span.group;
    }
    return this.groups;
  }

  /** The cells of pieces; of use until the next call. */
  cellsOf({ bounds, beginsMs }: Pieces, { ofGpu, ofEach, fromMs, sums }: GroupOfPieces): PiecesAdded {
    if (this.cells.length < beginsMs.length) this.cells = new Int32Array(beginsMs.length);
    for (let piece = 0; piece < beginsMs.length; piece += 1) {
      const group = ofGpu[piece] as number;
      const bucket = ((beginsMs[piece] as number) - fromMs) / this.widthMs;
      this.cells[piece] = group < 0 ? -1 : sums.cell(ofEach ?? group, bucket);
    }
    return { bounds, cells: this.cells, length: beginsMs.length };
  }

  private divide(timesMs: Float64Array, first: number, end: number): Pieces {
    const bounds = [first];
    const beginsMs: number[] = [];
    for (let from = first; from < end;) {
      const beginMs = Math.floor((timesMs[from] as number) / this.widthMs) * this.widthMs;
      const endMs = beginMs + this.widthMs;
      do from += 1;
      while (from < end && (timesMs[from] as number) < endMs);
      bounds.push(from);
      beginsMs.push(beginMs);
    }
    return { bounds: Int32Array.from(bounds), beginsMs: Float64Array.from(beginsMs) };
  }
}
