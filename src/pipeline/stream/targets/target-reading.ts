import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { LiveSource } from "../../source/source.ts";
import type { TargetClaim } from "../assignment/target-assignment.ts";
import { traced, type TraceParts } from "../publish-span.ts";
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

  constructor(
    private source: LiveSource,
    claim: TargetClaim,
    private readonly options: TargetReadingOptions,
  ) {
    this.sourceId = source.sourceId;
    this.readMs = this.publishedMs = claim.afterMs;
    this.takenUntilMs = claim.takenUntilMs;
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
    this.options.kept.add(this, {
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
      this.options.kept.add(this, traced(this.options, { name: "scrape", sourceId: this.sourceId }, batch));
    }
  }
}
