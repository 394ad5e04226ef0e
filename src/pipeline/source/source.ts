import type { RecordBatch } from "../../domain/batch.ts";
import type { Position, Range, SourceRange } from "../../domain/range.ts";

/** A batch of a replayable source, and the range that it was read from. */
export interface RangeBatch {
  readonly range: SourceRange;
  readonly batch: RecordBatch;
}

/** Telemetry that can be read again, such as a file: it has an end, its positions can be shared out in ranges, and reading
 *  the same range again yields the same batches. */
export interface ReplayableSource {
  /** Identifies the content: the same file in the same playing mode has the same id after a restart, another file under
   *  the same name has another. */
  readonly sourceId: string;
  /** For people: the file's path. */
  readonly description: string;
  /** From the first position that holds data (after a header) to the end; the line of the end is 0: it is not counted. */
  readonly whole: Range;
  /** Yields the batches of a range in order; each batch's range starts where the previous one ended. Ends early, without
   *  an error, when the signal aborts; the batches yielded before are valid.
   *  @throws UnusableSource when the source can no longer be read */
  read(range: Range, signal: AbortSignal): AsyncIterable<RangeBatch>;
  /** Divides everything from `from` on into ranges of about `rangeBytes` that touch, in order; each ends where a row ends,
   *  the last one at the end of the source. Ends early, without an error, when the signal aborts.
   *  @throws UnusableSource when the source can no longer be read */
  planRanges(from: Position, rangeBytes: number, signal: AbortSignal): AsyncIterable<Range>;
}

/** A batch of a live source. */
export interface LiveBatch {
  /** When the batch was read or is due, milliseconds since the epoch; several batches may share it. */
  readonly timeMs: number;
  /** Two batches with the same key are one: whichever is published or stored first counts. It names source and time. */
  readonly idempotencyKey: string;
  readonly batch: RecordBatch;
}

/** Telemetry that exists only in the present, such as a scrape: it has no ranges and no end, and what was not read in its
 *  time cannot be read again. */
export interface LiveSource {
  /** The same target, read in the same way, has the same id in every process and after a restart. */
  readonly sourceId: string;
  /** For people: "simulated fleet of 4 hosts x 8 GPUs". */
  readonly description: string;
  /** Yields batches in the order of their times, each when its time has come, until the signal aborts; a reader that is
   *  slower than the source misses batches.
   *  A reading that fails yields nothing; an error that is thrown ends the streamer until it is restarted.
   *  @param afterMs only batches of later times: the time of the last batch that any process has published
   *  @throws UnusableSource when the source can no longer be read */
  read(afterMs: number, signal: AbortSignal): AsyncIterable<LiveBatch>;
}
