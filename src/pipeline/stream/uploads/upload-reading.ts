import { quoted } from "../../../domain/cut-text.ts";
import { UnusableSource } from "../../../domain/errors.ts";
import { bytesIn, gapsIn, type Range } from "../../../domain/range.ts";
import type { UploadProgress } from "../../../domain/upload.ts";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import type { QueueStats } from "../../queue/queue.ts";
import type { ReplayableSource } from "../../source/source.ts";
import type { SourceProgress } from "../../store/telemetry-store.ts";
import type { ReadableUpload, UploadWork } from "../../store/upload-store.ts";
import type { ClaimedRange, RangeAssignment } from "../assignment/range-assignment.ts";
import { type KeyedBatch, keyedByRange } from "../batch-messages.ts";
import type { BatchPublisher } from "../batch-publisher.ts";
import { fileSpan, type TraceParts } from "../publish-span.ts";
import type { StreamRetries } from "../stream-retries.ts";

export interface UploadReadingOptions extends TraceParts {
  readonly work: Pick<UploadWork, "progressed" | "end">;
  readonly progressOf: (sourceId: string) => Promise<SourceProgress>;
  readonly stats: () => Promise<Pick<QueueStats, "readyMessages" | "inFlightMessages" | "deadMessages">>;
  readonly publisher: Pick<BatchPublisher, "publish">;
  readonly retries: StreamRetries;
  readonly clock: Clock;
}

/** An upload that is open, with the assignment of its ranges. */
export interface OpenedUpload {
  readonly upload: ReadableUpload;
  readonly source: ReplayableSource;
  readonly assignment: RangeAssignment;
}

/** How long a turn waits if other processes have all ranges that are left, or if no range is planned yet. */
const claimMaxMs = 250;
const progressEveryMs = 1000;
/** Messages that became dead letters are never stored by themselves: an upload ends if no more of it is stored for so long although the
 *  queue is empty, or has dead letters. */
const emptyQueueMs = 10_000;
const deadLettersMs = 300_000;

/** Reads an upload in turns of a range, and tells how far it is.
 *
 *  reading -a range is left-> reading; reading -none is left-> storing -all is stored-> done */
export class UploadReading {
  private isChecked = false;
  private toldAtMs = 0;
  private stored = { bytes: -1, sinceMs: 0 };

  constructor(
    private readonly opened: OpenedUpload,
    private readonly options: UploadReadingOptions,
  ) {}

  /** Reads a range, if one is left.
   *  @returns true if one was read; false if there is none now
   *  @throws UnusableSource */
  async turn(signal: AbortSignal): Promise<boolean> {
    // what was stored before its positions were forgotten is not read again
    if (!this.isChecked && (await this.endIfStored(signal))) return false;
    this.isChecked = true;
    const claimed = await this.claim(signal);
    if (claimed === "later" || signal.aborted) return false;
    if (claimed === undefined) {
      await this.endIfStored(signal);
      return false;
    }
    await this.publish(claimed, signal);
    return true;
  }

  /** @param isEnded true if the upload is not read any more, by any process */
  async close(isEnded: boolean): Promise<void> {
    const { assignment, source } = this.opened;
    if (isEnded) await assignment.forget(source.sourceId);
    await assignment.close();
  }

  /** @returns undefined if every range is published; "later" if none can be claimed now */
  private async claim(signal: AbortSignal): Promise<ClaimedRange | "later" | undefined> {
    const { retries, clock } = this.options;
    const { assignment, source } = this.opened;
    const late = new AbortController();
    const stop = AbortSignal.any([signal, late.signal]);
    let cancel = (): void => undefined;
    let isWaiting = false;
    try {
      const claimed = await retries.retrying((answered) => {
        return assignment.claim(source, stop, () => {
          answered();
          if (!isWaiting) cancel = clock.after(claimMaxMs, () => late.abort());
          isWaiting = true;
        });
      }, stop);
      return claimed ?? (stop.aborted ? "later" : undefined);
    } finally {
      cancel();
    }
  }

  private async publish(claimed: ClaimedRange, signal: AbortSignal): Promise<void> {
    const { publisher, retries } = this.options;
    const cancelled = new AbortController();
    const stop = AbortSignal.any([signal, cancelled.signal]);
    const read = (until: AbortSignal): AsyncIterable<KeyedBatch> =>
      this.batchesOf(claimed.range, until, () => cancelled.abort());
    if (await publisher.publish(claimed, read, stop)) await retries.retrying(() => claimed.finish(), signal);
    else await claimed.release().catch((error: unknown) => retries.record(error));
  }

  private async *batchesOf(range: Range, until: AbortSignal, cancel: () => void): AsyncIterable<KeyedBatch> {
    let tookMs = stopwatch();
    for await (const read of this.opened.source.read(range, until)) {
      yield keyedByRange(read, fileSpan(this.options, read, tookMs()));
      if (!(await this.tell(until))) return cancel();
      tookMs = stopwatch();
    }
  }

  /** Notes how far the upload is, at most every second. @returns false if it may not be read any more */
  async tell(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.options;
    if (clock.nowMs() - this.toldAtMs < progressEveryMs) return true;
    const { mayGoOn } = await this.progress(signal);
    this.toldAtMs = clock.nowMs();
    return mayGoOn;
  }

  private async progress(signal: AbortSignal): Promise<Progress> {
    const { retries, work, progressOf } = this.options;
    const { upload, source } = this.opened;
    const { stored, totals } = await retries.retrying(() => progressOf(source.sourceId), signal);
    const leftBytes = bytesIn(gapsIn(source.whole, stored));
    const contentBytes = source.whole.to.offset;
    const progress: UploadProgress = {
      rows: totals.rows,
      records: totals.recordsInserted + totals.recordsMerged,
      samples: totals.samples,
      rejected: totals.rejected,
      contentBytes: stored.length === 0 ? 0 : contentBytes - leftBytes,
    };
    const note = (): Promise<boolean> => work.progressed(upload.id, { contentBytes, progress });
    return { mayGoOn: await retries.retrying(note, signal), leftBytes, rows: totals.rows };
  }

  /** Ends the upload if all of it is stored. @returns false if it is not @throws UnusableSource if the rest will not be stored */
  private async endIfStored(signal: AbortSignal): Promise<boolean> {
    const { work, retries } = this.options;
    const { leftBytes, rows } = await this.progress(signal);
    const { source, upload } = this.opened;
    if (leftBytes === 0) {
      const message = rows === 0 ? noRows : messageOf(source);
      await retries.retrying(() => work.end(upload.id, { state: "done", message }), signal);
      return true;
    }
    if (await this.isStuck(leftBytes, signal)) {
      throw new UnusableSource(
        `${leftBytes} bytes of the table are not stored: their messages became dead letters (/api/v1/pipeline/dead-letters); redrive them`,
      );
    }
    return false;
  }

  private async isStuck(leftBytes: number, signal: AbortSignal): Promise<boolean> {
    const { clock, retries, stats } = this.options;
    const nowMs = clock.nowMs();
    if (this.stored.bytes !== leftBytes) this.stored = { bytes: leftBytes, sinceMs: nowMs };
    const { readyMessages, inFlightMessages, deadMessages } = await retries.retrying(stats, signal);
    if (deadMessages === 0) return false;
    return nowMs - this.stored.sinceMs >= (readyMessages + inFlightMessages === 0 ? emptyQueueMs : deadLettersMs);
  }
}

interface Progress {
  /** False if the upload may not be read any more. */
  readonly mayGoOn: boolean;
  readonly leftBytes: number;
  /** Rows that are stored or rejected. */
  readonly rows: number;
}

const noRows = "The table has no rows.";
/** So many metrics or columns are named. */
const namedMax = 5;

/** What is worth knowing of a table that was read; empty if all of it was, and is in the catalogue. */
function messageOf({ ownColumns, unreadColumns }: Pick<ReplayableSource, "ownColumns" | "unreadColumns">): string {
  const own =
    ownColumns.length === 0 ? [] : [`Not in the catalogue, stored under their own names: ${some(ownColumns)}.`];
  const names = unreadColumns.map((name) => quoted(name));
  const unread = names.length === 0 ? [] : [`These columns have cells that are not read: ${some(names)}.`];
  return [...own, ...unread].join(" ");
}

function some(names: readonly string[]): string {
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : "";
  return `${names.slice(0, namedMax).join(", ")}${more}`;
}
