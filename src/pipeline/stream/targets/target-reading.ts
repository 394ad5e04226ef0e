import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { LiveBatch, LiveSource } from "../../source/source.ts";
import type { TargetClaim } from "../assignment/target-assignment.ts";
import { traced, type TraceParts } from "../publish-span.ts";
import { type ReadSeries, withEnds } from "../read-series.ts";
import type { KeptScrapes } from "./kept-scrapes.ts";

export interface TargetReadingOptions extends TraceParts {
  readonly kept: KeptScrapes<TargetReading>;
  /** The source failed, and cannot be read again. */
  readonly onFailure: (error: unknown) => void;
}

/** The scrapes of a target that this process has, or had until it lost its lease: it goes on reading then, because perhaps no other
 *  process can claim the target, and publishes what it has kept when it has the target again. */
export class TargetReading {
  readonly sourceId: string;
  private claim: TargetClaim | undefined;
  private reading: Promise<void> = Promise.resolve();
  private halt = new AbortController();
  /** The time of the last scrape that was read. */
  private readMs: number;
  private publishedMs: number;
  private takenUntilMs: number;
  /** The series that the target had in the last scrape that is published or kept; undefined if that is not known. */
  private series: ReadSeries | undefined;
  /** Their text, as it is stored when everything that is kept is published. */
  private storedSeries: string | undefined;

  constructor(
    private source: LiveSource,
    claim: TargetClaim,
    private readonly options: TargetReadingOptions,
  ) {
    this.sourceId = source.sourceId;
    this.readMs = this.publishedMs = claim.afterMs;
    this.takenUntilMs = claim.takenUntilMs;
    this.knowSeries(claim);
    this.claim = this.watched(claim);
    this.start();
  }

  /** The claim under which scrapes are published now; undefined if this process may not have the target any more. */
  get current(): TargetClaim | undefined {
    return this.claim?.lost.aborted === true ? undefined : this.claim;
  }

  /** Time of the last scrape that is known to be published; -Infinity if none is. */
  get latestMs(): number {
    return this.publishedMs;
  }

  /** Continues under another claim. */
  claimed(claim: TargetClaim): void {
    this.claim = this.watched(claim);
    // another process has scraped it meanwhile
    if (claim.afterMs > this.readMs) this.knowSeries(claim);
    else if (claim.afterMs > this.publishedMs) this.storedSeries = undefined;
    this.publishedMs = Math.max(this.publishedMs, claim.afterMs);
    this.takenUntilMs = Math.max(this.takenUntilMs, claim.takenUntilMs);
    if (this.halt.signal.aborted) void this.resume();
    this.options.kept.announce();
  }

  /** Publishes nothing more under this claim. */
  refused(claim: TargetClaim | undefined): void {
    if (this.claim === claim) this.claim = undefined;
  }

  published(timeMs: number): void {
    this.publishedMs = Math.max(this.publishedMs, timeMs);
  }

  /** Reads the target in another way from now on. */
  async replace(source: LiveSource): Promise<void> {
    await this.finish();
    this.source = source;
    this.start();
  }

  /** Ends after the scrape that is under way. */
  async finish(): Promise<void> {
    this.halt.abort();
    await this.reading;
  }

  /** Says, after `finish`, that no list has the target any more: nothing is due from now on. */
  end(nowMs: number): void {
    const { sourceId } = this;
    const timeMs = Math.max(nowMs, this.readMs + 1, this.publishedMs + 1);
    this.keep({
      ...{ timeMs, idempotencyKey: `${sourceId}:ended:${timeMs}`, batch: new BatchBuilder().build() },
      reading: { timeMs, intervalMs: 1, outcome: "missed", count: 0, ended: true },
    });
  }

  /** Reads again after `finish`. */
  async resume(): Promise<void> {
    await this.reading;
    if (this.halt.signal.aborted) this.start();
  }

  private watched(claim: TargetClaim): TargetClaim {
    claim.lost.addEventListener("abort", () => this.options.kept.announce(), { once: true });
    return claim;
  }

  private start(): void {
    this.halt = new AbortController();
    this.reading = this.read(this.source, this.halt.signal).catch((error: unknown) => this.options.onFailure(error));
  }

  private async read(source: LiveSource, signal: AbortSignal): Promise<void> {
    const afterMs = Math.max(this.readMs, this.publishedMs);
    for await (const batch of source.read(afterMs, signal, this.takenUntilMs)) {
      this.readMs = batch.timeMs;
      this.keep(batch);
    }
  }

  /** Series that ended in a scrape which is dropped end in the next one that is not. */
  private keep(batch: LiveBatch): void {
    const { live, after } = withEnds(batch, this.series);
    const scrape = traced(this.options, { name: "scrape", sourceId: this.sourceId }, live);
    const series = after?.text === this.storedSeries ? undefined : after?.text;
    if (!this.options.kept.add(this, { ...scrape, series })) return;
    this.series = after;
    this.storedSeries = after?.text;
  }

  private knowSeries({ series: text, afterMs, takenUntilMs }: TargetClaim): void {
    this.series = text === undefined ? undefined : { text, timeMs: Math.max(afterMs, takenUntilMs) };
    this.storedSeries = text;
  }
}
