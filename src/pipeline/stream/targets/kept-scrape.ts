import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { ReadingFault, SourceReading } from "../../../domain/reading.ts";
import { keyedByInstant, messagesOf, type OutgoingMessage, type TargetBatch } from "../batch-messages.ts";
import { endUnpublished } from "../publish-span.ts";

/** What a kept scrape needs in addition to its messages, roughly. */
const overheadBytes = 500;

const noRecords = new BatchBuilder().build();

/** One scrape of a target, or several that were missed for the same reason, until it is published.
 *  @param Owner the target that it belongs to */
export class KeptScrape<Owner extends { readonly sourceId: string }> {
  /** True once it was sent: it may have been published then, and must not change any more. */
  isSent = false;
  private encoded: readonly OutgoingMessage[] | undefined;
  /** What it needs if it was missed: then, it is kept with the ends that it tells. */
  private readonly missedBytes: number;

  constructor(
    readonly owner: Owner,
    private live: TargetBatch,
    private readonly messageMaxBytes: number,
  ) {
    const ended = live.batch.ends?.flatMap(({ uuid, series }) => [uuid, ...series]) ?? [];
    this.missedBytes = overheadBytes + ended.reduce((sum, { length }) => sum + length, 0);
    // a scrape is kept compressed, without its records; one that was missed has none, and may yet be combined with others
    if (this.missedFor !== undefined) return;
    this.encoded = this.encode();
    this.live = { ...live, batch: noRecords };
  }

  /** The scheduled time of the scrape; of several, of the last. */
  get timeMs(): number {
    return this.live.timeMs;
  }

  get bytes(): number {
    const seriesLength = this.series?.length ?? 0;
    if (this.missedFor !== undefined) return this.missedBytes + seriesLength;
    return (this.encoded ?? []).reduce(
      (sum, { message }) => sum + message.payload.length,
      overheadBytes + seriesLength,
    );
  }

  get messages(): readonly OutgoingMessage[] {
    return (this.encoded ??= this.encode());
  }

  /** The series that its target had then; undefined if those of the scrape before are the same. */
  get series(): string | undefined {
    return this.live.series;
  }

  /** The number of scheduled scrapes that it stands for. */
  get count(): number {
    return this.live.reading?.count ?? 1;
  }

  /** Why it was missed; undefined if it was read. */
  get missedFor(): ReadingFault | undefined {
    return this.live.reading?.reason;
  }

  /** True if it says that the target has ended: it has no records, and nothing else says so. */
  get isEnd(): boolean {
    return this.live.reading?.ended === true;
  }

  /** Adds a scrape that was missed for the same reason, without the ends of series that it tells.
   *  @returns false if this scrape must stay as it is */
  extend({ live }: KeptScrape<Owner>): boolean {
    const [earlier, later] = [this.live.reading, live.reading];
    if (this.isSent || earlier?.reason === undefined || later?.reason !== earlier.reason) return false;
    const { batch, series } = this.live;
    this.live = { ...live, batch, series, reading: { ...later, count: earlier.count + later.count } };
    this.encoded = undefined;
    return true;
  }

  /** The part that is later than an instant; undefined if there is none. */
  after(timeMs: number): this | undefined {
    const { reading } = this.live;
    if (this.timeMs <= timeMs) return undefined;
    if (reading === undefined || timeMs === -Infinity) return this;
    // rounded up, because the position of a target's first claim is no scheduled time
    const count = Math.min(reading.count, Math.ceil((this.timeMs - timeMs) / reading.intervalMs));
    if (count < reading.count) {
      this.live = { ...this.live, reading: { ...reading, count } };
      this.encoded = undefined;
    }
    return this;
  }

  /** Ends its trace here, unless it is published. */
  drop(why: string): void {
    endUnpublished(this.live.span, why);
  }

  /** The same scrape without its records and the ends of series that it tells, because there is no memory for them. */
  withoutRecords(message: string): KeptScrape<Owner> {
    this.drop(message);
    const { timeMs, idempotencyKey, reading } = this.live;
    const missed: SourceReading = {
      timeMs,
      intervalMs: reading?.intervalMs ?? 0,
      outcome: "missed",
      reason: "memory_full",
      message,
      count: reading?.count ?? 1,
    };
    const live = { timeMs, idempotencyKey, batch: noRecords, reading: missed };
    return new KeptScrape(this.owner, live, this.messageMaxBytes);
  }

  private encode(): readonly OutgoingMessage[] {
    return messagesOf(keyedByInstant(this.owner.sourceId, this.live), this.messageMaxBytes);
  }
}
