import type { Logger } from "pino";
import type { DroppedReading, OnMissed, ReadingFault } from "../../../domain/reading.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import type { ReadExposition } from "../exposition/exposition-reader.ts";
import type { TargetState } from "../target-states.ts";

/** What is read. */
export interface HealthSubject {
  readonly kind: TargetState["kind"];
  readonly sourceId: string;
  /** Its name for people. */
  readonly name: string;
  readonly clusterId: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A reading, such as a scrape. */
export interface ReadScrape extends ReadExposition {
  readonly timeMs: number;
  readonly durationMs: number;
  readonly frozen: number;
}

/** Scheduled readings that were missed. */
export interface MissedScrapes {
  /** The scheduled time of the last of them. */
  readonly timeMs: number;
  readonly count: number;
  readonly failure: { readonly reason: ReadingFault; readonly message: string };
  /** How long the scrape took; absent if there was none. */
  readonly durationMs?: number;
}

const nothingRead: ReadExposition & { readonly frozen: number } = {
  ...{ dialect: undefined, devices: 0, samples: 0, ignored: 0, rejected: 0, undecided: 0, frozen: 0 },
  ...{ sampleLines: 0, isCut: false },
};

export interface SourceHealthOptions {
  readonly intervalMs: number;
  /** Name of this process. */
  readonly streamer: string;
  /** The present time, milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Undefined if the source itself logs what happens to it. */
  readonly log: Logger | undefined;
  /** Counts gaps as soon as they are known. */
  readonly onMissed: OnMissed;
}

/** What this process knows about a source with a schedule. A change is logged once, not at every scrape.
 *
 *  WAITING -read-> UP, WAITING -missed-> DOWN; UP -missed-> DOWN; DOWN -read-> UP; any -release-> WAITING */
export class SourceHealth {
  private state: TargetState["state"] = "waiting";
  private sinceMs: number;
  private last: (ReadExposition & { readonly frozen: number }) | ReadScrape = nothingRead;
  private lastScrapeMs: number | undefined;
  private lastReadMs: number | undefined;
  private durationMs: number | undefined;
  private failure: MissedScrapes | undefined;
  private failuresInRow = 0;
  private scrapes = 0;
  private readonly gaps = new Map<ReadingFault, number>();

  constructor(
    private readonly target: HealthSubject,
    private readonly options: SourceHealthOptions,
  ) {
    this.sinceMs = options.nowMs();
  }

  read(scrape: ReadScrape): void {
    const { log } = this.options;
    if (this.state === "down")
      log?.info(`${this.target.name} answers again, after ${this.failuresInRow} missed scrapes`);
    if (scrape.frozen > 0 && this.last.frozen === 0) log?.warn(`${this.target.name}: ${frozenText(scrape)}`);
    if (scrape.frozen === 0 && this.last.frozen > 0) log?.info(`${this.target.name} no longer repeats its readings`);
    if (scrape.isCut && !this.last.isCut) log?.warn(`${this.target.name}: ${cutText}`);
    if (!scrape.isCut && this.last.isCut) log?.info(`the answers of ${this.target.name} are whole again`);
    this.enter("up");
    this.last = scrape;
    this.lastScrapeMs = this.lastReadMs = scrape.timeMs;
    this.durationMs = scrape.durationMs;
    this.failuresInRow = 0;
    this.scrapes += 1;
  }

  missed(missed: MissedScrapes): void {
    const { failure, count, timeMs, durationMs } = missed;
    this.addGap(failure.reason, count);
    // without a scrape, nothing is known about the target
    if (durationMs !== undefined) {
      const isNew = this.state !== "down" || this.failure?.failure.reason !== failure.reason;
      if (isNew) this.options.log?.warn(`${this.target.name} is missed: ${failure.message}`);
      this.enter("down");
      this.lastScrapeMs = timeMs;
      this.durationMs = durationMs;
      this.failuresInRow += count;
    }
    this.failure = missed;
  }

  /** A further part of the last reading was read. */
  readMore({ devices, samples, rejected }: Pick<ReadExposition, "devices" | "samples" | "rejected">): void {
    const { last } = this;
    this.last = {
      ...last,
      devices: last.devices + devices,
      samples: last.samples + samples,
      rejected: last.rejected + rejected,
    };
  }

  /** A reading that was read is missed after all: it was dropped before it could be published. */
  dropped({ timeMs, reason, message, count }: DroppedReading): void {
    this.scrapes -= count;
    this.addGap(reason, count);
    this.failure = { timeMs, count, failure: { reason, message } };
  }

  /** This process no longer reads the target. */
  release(): void {
    this.enter("waiting");
  }

  /** What the API shows. */
  show(): TargetState {
    const { target, options, last, failure } = this;
    const { dialect, devices, samples, ignored, rejected, undecided, frozen } = last;
    return defined({
      source_id: target.sourceId,
      kind: target.kind,
      target: target.name,
      cluster_id: target.clusterId,
      labels: Object.entries(target.labels).map(([name, value]) => ({ name, value })),
      state: this.state,
      since: formatTimestamp(this.sinceMs),
      message: this.message(),
      streamer: options.streamer,
      interval_ms: options.intervalMs,
      dialect,
      last_scrape_at: shownInstant(this.lastScrapeMs),
      last_read_at: shownInstant(this.lastReadMs),
      duration_ms: this.durationMs,
      ...{ devices, samples, ignored, rejected, undecided, frozen },
      scrapes: this.scrapes,
      gaps: [...this.gaps.values()].reduce((sum, count) => sum + count, 0),
      gap_reasons: [...this.gaps].map(([reason, count]) => ({ reason, count })),
      consecutive_failures: this.failuresInRow,
      last_error: failure && shownError(failure),
    });
  }

  private message(): string {
    if (this.state === "waiting") return "not read by this streamer";
    if (this.state === "down") return this.failure?.failure.message ?? "";
    const { devices, samples, undecided, rejected, frozen, isCut } = this.last;
    const parts = [`${devices} devices, ${samples} samples in ${this.durationMs ?? 0} ms`];
    if (devices === 0) parts.push("no GPU is among them");
    if (undecided > 0) parts.push(`${undecided} samples whose unit is not known yet`);
    if (rejected > 0) parts.push(`${rejected} lines could not be used`);
    if (isCut) parts.push(cutText);
    if (frozen > 0) parts.push(frozenText(this.last));
    return parts.join("; ");
  }

  private addGap(reason: ReadingFault, count: number): void {
    this.gaps.set(reason, (this.gaps.get(reason) ?? 0) + count);
    this.options.onMissed(reason, count);
  }

  private enter(state: TargetState["state"]): void {
    if (state !== this.state) this.sinceMs = this.options.nowMs();
    this.state = state;
  }
}

function shownInstant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatTimestamp(ms);
}

function shownError({ timeMs, failure }: MissedScrapes): NonNullable<TargetState["last_error"]> {
  return { at: formatTimestamp(timeMs), reason: failure.reason, message: failure.message };
}

const cutText = "its answer ends in the middle of a line and may have been cut off; that line is not used";

function frozenText({ frozen, devices }: Pick<ReadScrape, "frozen" | "devices">): string {
  return `the readings of ${frozen} of ${devices} devices do not change although they are busy; the exporter repeats old ones`;
}
