import type { RecordBatch } from "../../domain/batch.ts";
import type { Position, SourceRange } from "../../domain/range.ts";

/** What one message will carry: the records of a stretch of the source. */
export interface SourceBatch {
  readonly range: SourceRange;
  readonly batch: RecordBatch;
}

/** What to read: from `from` up to `toOffset` (exclusive; absent: to the end). */
export interface ReadRange {
  readonly from: Position;
  readonly toOffset?: number;
}

/** A stretch that one streamer may read while others read the rest; `to` is undefined where the source never ends. */
export interface SourceCut {
  readonly from: Position;
  readonly to: Position | undefined;
}

/** Where telemetry comes from: yields batches of records, each with its place in the source.
 *  Reading the same range twice yields the same batches. */
export interface Source {
  /** Identifies the content: the same file in the same playing mode has the same id after a restart,
   *  another file under the same name has another. */
  readonly sourceId: string;
  /** For people: a path, or "simulated fleet of 4 hosts x 8 GPUs". */
  readonly description: string;
  /** The first position that holds data (after a header). */
  readonly start: Position;
  /** Where the data ends, for progress and completeness; undefined for one that never ends. */
  readonly endOffset: number | undefined;
  /** Yields batches in order; each batch's range starts where the one before ended. Ends early, without
   *  error, when the signal aborts; what was yielded holds.
   *  @throws UnusableSource when the source can no longer be read */
  read(range: ReadRange, signal: AbortSignal): AsyncIterable<SourceBatch>;
  /** Cuts what lies from `from` on into stretches of about `rangeBytes` that touch, in order; each ends where a row ends,
   *  the last one where the source does. Ends early, without error, when the signal aborts.
   *  @throws UnusableSource when the source can no longer be read */
  cut(from: Position, rangeBytes: number, signal: AbortSignal): AsyncIterable<SourceCut>;
}
