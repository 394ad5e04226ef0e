import type { InputTally, RecordBatch, RejectReason } from "../../domain/batch.ts";
import type { ContestedGpu } from "../../domain/query.ts";
import type { Range, SourceRange } from "../../domain/range.ts";

/** A decoded message on its way into the store. */
export interface IngestMessage {
  /** The queue's id (ULID). */
  readonly messageId: string;
  readonly idempotencyKey: string;
  readonly source: SourceRange;
  readonly batch: RecordBatch;
}

/** The effect of a message on the store. */
export interface IngestResult {
  /** True if the message (its id or its idempotency key) was already stored; then none of its records were written. */
  readonly duplicate: boolean;
  /** Records that were new. */
  readonly recordsInserted: number;
  /** Records that were merged with stored ones of the same GPU and instant, or replaced them. */
  readonly recordsMerged: number;
  /** Values of the message that differ from others of the same series and record, in the message or in the store. 0 for a
   *  duplicate. */
  readonly conflicts: number;
  /** The number of inputs by reason that the message brought as rejected, or that the store rejected: values of a uuid that another
   *  host has reported at the same instant. Empty for a duplicate. */
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
  /** The batch's contested GPUs, also for a duplicate: their states as they are in the store after the batch. They replace what
   *  the batch says about these GPUs, because the store may have kept records of other hosts. */
  readonly contested: readonly ContestedGpu[];
  /** Why the transaction of several messages failed although each of them could be stored alone. Only the first of the messages has
   *  it. Absent: there was no such failure. */
  readonly failedTogether?: string;
}

/** Sums over all stored messages of one source. */
export interface SourceTotals extends InputTally {
  readonly messages: number;
  readonly recordsInserted: number;
  readonly recordsMerged: number;
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
}

/** The stored part of a source. */
export interface SourceProgress {
  /** The stored ranges, in order, with adjacent ones joined; empty for a live source, whose batches cover no range. */
  readonly stored: readonly Range[];
  readonly totals: SourceTotals;
}

/** Stores the history: each message exactly once. */
export interface TelemetryStore {
  /** Records of settled hours that this process has made rows again, because records came for their GPU and hour. */
  readonly unsettledRecords: number;
  /** Stores a message's records, rejected inputs, tally and id in one transaction, and then the changes of its GPUs. The
   *  changes are also stored for a duplicate: the process that stored the message may have died before this step.
   *  Two calls with the same message store it once, even if they run at the same time.
   *  @throws StoreUnavailable (the message may be stored or not; storing it again is safe), StoreRejected (either nothing
   *    is stored, or only changes of the GPUs are missing) */
  ingest(message: IngestMessage): Promise<IngestResult>;
  /** Stores the changes of the GPUs of the newest stored messages, in case the process that stored them died before that. Call it before
   *  the first `ingest` if no queue delivers these messages again.
   *  @param messages how many were being stored at most
   *  @throws StoreUnavailable */
  completeChanges(messages: number): Promise<void>;
  /** The stored part of a source; empty if it has no stored part. A process without etcd reads only the parts of the source
   *  that are not stored. */
  progressOf(sourceId: string): Promise<SourceProgress>;
  /** The time of a live source's latest stored batch, milliseconds since the epoch; undefined if none is stored, or if the
   *  source has ended since. */
  latestInstantMs(sourceId: string): Promise<number | undefined>;
  /** Resolves when the store answers. @throws StoreUnavailable */
  ping(): Promise<void>;
  close(): Promise<void>;
}
