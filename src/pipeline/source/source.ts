import type { RecordBatch } from "../../domain/batch.ts";
import type { Position, Range, SourceRange } from "../../domain/range.ts";
import type { SourceReading } from "../../domain/reading.ts";

/** A batch of a replayable source, and the range that it was read from. */
export interface RangeBatch {
  readonly range: SourceRange;
  readonly batch: RecordBatch;
}

/** Telemetry that can be read again, such as a file. It has an end and can be divided into ranges. Reading the same range
 *  again yields the same batches. */
export interface ReplayableSource {
  /** Identifies the content: after a restart, the same file, round and shift of times have the same id. A file with other bytes has
   *  another id. */
  readonly sourceId: string;
  /** A description for people, such as the file's path. */
  readonly description: string;
  /** From the first position that holds data (after a header) to the end. The end's line is 0, because the lines are not
   *  counted. */
  readonly whole: Range;
  /** Columns of the input whose content is missing from the batches, at least in part. The list may grow while the source is
   *  read. */
  readonly unreadColumns: readonly string[];
  /** Columns of the input, or names of metrics in its rows, that become metrics outside the catalogue, as a message names them. The list
   *  may grow while the source is read. */
  readonly ownColumns: readonly string[];
  /** Yields the batches of a range in order; each batch's range starts where that of the previous batch ended. Ends early,
   *  without an error, when the signal aborts; the batches yielded until then are valid.
   *  @throws UnusableSource when the source can no longer be read */
  read(range: Range, signal: AbortSignal): AsyncIterable<RangeBatch>;
  /** Divides the source, from `from` to its end, into adjacent ranges of about `rangeBytes`, in order. Each range ends
   *  where a row ends; the last one ends at the end of the source. Ends early, without an error, when the signal aborts.
   *  @throws UnusableSource when the source can no longer be read */
  planRanges(from: Position, rangeBytes: number, signal: AbortSignal): AsyncIterable<Range>;
}

/** A batch of a live source. */
export interface LiveBatch {
  /** When the batch was read or is due, milliseconds since the epoch; several batches may have the same time. */
  readonly timeMs: number;
  /** Batches with the same key are the same batch: only the first is published and stored. The key names the source and the
   *  time. */
  readonly idempotencyKey: string;
  readonly batch: RecordBatch;
  /** What happened to the reading that was due at this time. A source with a schedule sets it: in the batch of a reading, or in a
   *  batch without records for readings that were missed. Of several batches of one reading, the first counts it, and the others have
   *  the count 0. */
  readonly reading?: SourceReading;
  /** Which devices the batch is about, if a reading takes several batches: the same text in each reading. Absent: all. */
  readonly part?: string;
  /** True if the answer was probably cut off: the source may have what the batch lacks. Absent: false. */
  readonly isCut?: boolean;
  /** How long the reading took, milliseconds. Absent: no time worth telling. */
  readonly tookMs?: number;
}

/** Telemetry that can be read only as it happens, such as a scrape: it has no ranges and no end, and a batch that was missed
 *  cannot be read later. */
export interface LiveSource {
  /** The same target, read in the same way, has the same id in every process and after a restart. */
  readonly sourceId: string;
  /** A description for people, such as "simulated fleet of 4 hosts x 8 GPUs". */
  readonly description: string;
  /** Yields batches in the order of their times, each when its time has come, until the signal aborts; a reader that is
   *  slower than the source misses batches. A reading that is under way at the abort may end within 2 s, and is yielded.
   *  A reading that fails yields no records; an error that is thrown ends the streamer until it is restarted.
   *  @param afterMs the time of the last batch that any process has published: only later batches are read
   *  @param takenUntilMs up to this time, a process whose clock was ahead has published batches: batches until then have times that
   *    its batches do not have. Absent: none has
   *  @throws UnusableSource when the source can no longer be read */
  read(afterMs: number, signal: AbortSignal, takenUntilMs?: number): AsyncIterable<LiveBatch>;
}
