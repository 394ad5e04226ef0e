import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import { endsWithin } from "../../../kit/within.ts";
import type { LiveSource } from "../../source/source.ts";
import type { SourcesChange, TargetSources } from "../../source/target-sources.ts";
import { aheadText } from "../assignment/known-position.ts";
import type { TargetAssignment, TargetClaim } from "../assignment/target-assignment.ts";
import type { TraceParts } from "../publish-span.ts";
import type { SourceStream } from "../source-stream.ts";
import type { StreamRetries } from "../stream-retries.ts";
import { KeptScrapes } from "./kept-scrapes.ts";
import { ScrapePublisher, type ScrapePublisherOptions } from "./scrape-publisher.ts";
import { TargetReading } from "./target-reading.ts";

export interface SharedTargetsOptions extends Omit<ScrapePublisherOptions, "kept">, TraceParts {
  readonly targets: TargetSources;
  readonly assignment: TargetAssignment;
  /** The memory for scrapes that wait to be published. */
  readonly bufferBytes: number;
  /** A larger payload is sent as several messages. */
  readonly messageMaxBytes: number;
  readonly clock: Clock;
  readonly retries: StreamRetries;
  readonly log: Logger;
}

/** Time for publishing the last scrape of a target that is given back. If it takes longer, this process goes on reading the target,
 *  and tries again. */
const handOverMs = 3000;
/** Time for finishing and publishing the scrapes under way when this process stops. */
const stopMs = 5000;

/** Streams this process's share of the targets. What cannot be published is kept, up to the memory for it, while scraping goes on.
 *
 *  A target that is given back: its scrapes are published, the scrape under way is finished and published, and only then its
 *  owner key is deleted. The next owner's first scrape is the next one of the schedule. */
export class SharedTargets implements SourceStream {
  private readonly sources = new Map<string, LiveSource>();
  private readonly readings = new Map<string, TargetReading>();
  private readonly kept: KeptScrapes<TargetReading>;
  private readonly publisher: ScrapePublisher;
  private readonly failed = new AbortController();
  /** What others have taken and is not logged yet: `pending` targets, of which a scrape may be under way, and those that have lost scrapes. */
  private taken = noneTaken();
  /** A wrong clock concerns many targets: the first is logged. */
  private hasLoggedAhead = false;

  constructor(private readonly options: SharedTargetsOptions) {
    const { bufferBytes: maxBytes, messageMaxBytes } = options;
    this.kept = new KeptScrapes({
      ...{ maxBytes, messageMaxBytes },
      onFull: (isFull) => this.logMemory(isFull),
      onDropped: ({ sourceId }, reading) => options.targets.dropped(sourceId, reading),
    });
    this.publisher = new ScrapePublisher({ ...options, kept: this.kept });
  }

  get share(): number {
    return this.readings.size;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { targets, assignment, clock, log } = this.options;
    const stop = AbortSignal.any([signal, this.failed.signal]);
    const publishStop = new AbortController();
    const publishing = this.publisher.run(publishStop.signal).catch((error: unknown) => this.failed.abort(error));
    await Promise.all([
      targets.follow((change) => this.apply(change), stop),
      assignment.run(
        {
          claimed: (claim) => this.claimed(claim),
          excess: (sourceId) => void this.giveBack(sourceId, stop),
          taken: (sourceId) => void this.drop(sourceId),
        },
        stop,
      ),
    ]);
    await endsWithin(clock, stopMs, () => this.giveBackAll()).catch((error: unknown) =>
      this.options.retries.record(error),
    );
    publishStop.abort();
    await publishing;
    if (this.kept.size > 0)
      log.warn(`${this.kept.size} scrapes could not be published before the stop, and are missing`);
    this.failed.signal.throwIfAborted();
  }

  close(): Promise<void> {
    return this.options.assignment.close();
  }

  private logMemory(isFull: boolean): void {
    const { log } = this.options;
    if (isFull)
      log.warn("the memory for scrapes that wait to be published (SCRAPE_BUFFER_MIB) is full: later ones are missed");
    else log.info("the memory for scrapes that wait to be published has space again");
  }

  private apply({ added, removed }: SourcesChange): void {
    const { targets, assignment } = this.options;
    const replaced = new Set(added.map(({ sourceId }) => sourceId));
    for (const { sourceId } of removed) {
      this.sources.delete(sourceId);
      if (!replaced.has(sourceId)) void this.end(sourceId);
    }
    for (const source of added) {
      this.sources.set(source.sourceId, source);
      void this.readings.get(source.sourceId)?.replace(source);
    }
    assignment.know(new Set(targets.current.map(({ sourceId }) => sourceId)));
  }

  private claimed(claim: TargetClaim): void {
    const { sourceId } = claim;
    this.logAhead(claim);
    const reading = this.readings.get(sourceId);
    const source = this.sources.get(sourceId);
    if (reading !== undefined) reading.claimed(claim);
    else if (source === undefined) void this.release(sourceId);
    else {
      const onFailure = (error: unknown): void => this.failed.abort(error);
      this.readings.set(sourceId, new TargetReading(source, claim, { ...this.options, kept: this.kept, onFailure }));
    }
  }

  private logAhead(claim: TargetClaim): void {
    const ahead = aheadText(claim);
    if (ahead === undefined || this.hasLoggedAhead) return;
    this.hasLoggedAhead = true;
    this.options.log.warn(`${claim.sourceId}: ${ahead}. Other targets may have such records, too`);
  }

  /** Gives a target to another process. */
  private async giveBack(sourceId: string, stop: AbortSignal): Promise<void> {
    const { clock } = this.options;
    const reading = this.readings.get(sourceId);
    if (reading === undefined) return this.release(sourceId);
    while (!stop.aborted) {
      // reading goes on while nothing can be published
      await this.published(reading, stop);
      await reading.finish();
      if (await endsWithin(clock, handOverMs, () => this.published(reading, stop))) break;
      await reading.resume();
    }
    if (stop.aborted || this.readings.get(sourceId) !== reading) return;
    if (reading.current === undefined) return reading.resume();
    this.readings.delete(sourceId);
    await this.release(sourceId);
  }

  /** Gives back everything, because this process stops. */
  private async giveBackAll(): Promise<void> {
    const leaving = this.options.assignment.leave();
    const finishing = [...this.readings].map(async ([sourceId, reading]) => {
      await reading.finish();
      await this.published(reading);
      this.readings.delete(sourceId);
      if (reading.current !== undefined) await this.release(sourceId);
    });
    await Promise.all([leaving, ...finishing]);
  }

  /** Ends a target that no longer exists. */
  private async end(sourceId: string): Promise<void> {
    const reading = this.readings.get(sourceId);
    if (reading === undefined) return;
    await reading.finish();
    await this.published(reading);
    if (!this.isEnding(reading)) return;
    const hasBegun = reading.latestMs !== -Infinity;
    if (hasBegun) {
      reading.end(this.options.clock.nowMs());
      await this.published(reading);
      if (!this.isEnding(reading)) return;
    }
    this.readings.delete(sourceId);
    await this.release(sourceId, hasBegun ? reading.latestMs : undefined);
  }

  /** False if the target is listed again, or another process may have it: another one says then that it has ended. */
  private isEnding(reading: TargetReading): boolean {
    const { sourceId, current } = reading;
    return this.readings.get(sourceId) === reading && current !== undefined && !this.sources.has(sourceId);
  }

  /** Forgets a target that another process has. Others may have taken many at once: they are logged together. */
  private async drop(sourceId: string): Promise<void> {
    const { taken } = this;
    const reading = this.readings.get(sourceId);
    this.readings.delete(sourceId);
    if (reading === undefined) return;
    taken.pending += 1;
    await reading.finish();
    const count = this.kept.countOf(reading);
    this.kept.drop(reading);
    taken.pending -= 1;
    if (count > 0) {
      taken.scrapes += count;
      taken.targets.push(sourceId);
    }
    if (taken.pending > 0 || taken.scrapes === 0) return;
    this.taken = noneTaken();
    const [first = "", ...others] = taken.targets;
    const names = others.length === 0 ? first : `${first} and ${others.length} more targets`;
    this.options.log.warn(`${taken.scrapes} scrapes of ${names} were not published before another streamer took over`);
  }

  /** Resolves when no scrape of the target waits, or this process may not publish it any more. */
  private async published(reading: TargetReading, stop?: AbortSignal): Promise<void> {
    while (this.kept.countOf(reading) > 0 && reading.current !== undefined && stop?.aborted !== true) {
      await this.kept.nextChange();
    }
  }

  private async release(sourceId: string, endedMs?: number): Promise<void> {
    const { assignment, retries } = this.options;
    await assignment.release(sourceId, endedMs).catch((error: unknown) => retries.record(error));
  }
}

function noneTaken(): { pending: number; scrapes: number; readonly targets: string[] } {
  return { pending: 0, scrapes: 0, targets: [] };
}
