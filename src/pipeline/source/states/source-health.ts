import type { Logger } from "pino";
import { type DroppedReading, isOwnFault, type OnMissed, type ReadingFault } from "../../../domain/reading.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import type { ReadExposition } from "../exposition/exposition-reader.ts";
import type { TargetState } from "../target-states.ts";
import { cutText, frozenText, offTimeText, ownFaultText } from "./warning-texts.ts";

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
  ...{ sampleLines: 0, isCut: false, offTime: undefined },
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

/** Scrapes that this pipeline has missed are shown this long: then the counts of gaps have them. */
const ownFaultShownMs = 300_000;

/** What this process knows about a source with a schedule. A change is logged once, not at every scrape. A reading that the pipeline
 *  missed for a reason of its own says nothing about the source: it is a gap, and leaves the state and the last error as they are.
 *
 *  WAITING -read-> UP, WAITING -missed-> DOWN; UP -missed-> DOWN; DOWN -read-> UP; any -release-> WAITING */
export class SourceHealth {
  private state: TargetState["state"] = "waiting";
  private sinceMs: number;
  private last: (ReadExposition & { readonly frozen: number }) | ReadScrape = nothingRead;
  private lastScrapeMs: number | undefined;
  private lastReadMs: number | undefined;
  private durationMs: number | undefined;
  /** The source's own last failure. */
  private failure: MissedScrapes | undefined;
  /** What the pipeline has missed for a reason of its own. */
  private ownFault: MissedScrapes | undefined;
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
    this.logWarnings(scrape);
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
    if (durationMs !== undefined) {
      this.lastScrapeMs = timeMs;
      this.durationMs = durationMs;
    }
    if (isOwnFault(failure.reason)) {
      if (durationMs !== undefined && this.ownFault?.failure.reason !== failure.reason)
        this.options.log?.warn(`${this.target.name}: ${ownFaultText(missed)}`);
      this.addOwnFault(missed);
      return;
    }
    const isNew = this.state !== "down" || this.failure?.failure.reason !== failure.reason;
    if (isNew) this.options.log?.warn(`${this.target.name} is missed: ${failure.message}`);
    this.enter("down");
    this.failuresInRow += count;
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
    this.addOwnFault({ timeMs, count, failure: { reason, message } });
  }

  /** This process no longer reads the target. */
  release(): void {
    this.enter("waiting");
    this.ownFault = undefined;
  }

  /** What is wrong with the answers of a target that is up; undefined if nothing is. */
  get answerWarning(): string | undefined {
    if (this.state !== "up") return undefined;
    const { isCut, frozen, offTime } = this.last;
    const parts = [
      ...(isCut ? [cutText] : []),
      ...(frozen > 0 ? [frozenText(this.last)] : []),
      ...(offTime === undefined ? [] : [offTimeText(offTime, this.lastReadMs ?? 0)]),
    ];
    return parts.length === 0 ? undefined : parts.join("; ");
  }

  /** What the pipeline itself has missed in the last 5 minutes; undefined if it has missed nothing. */
  get missedByPipeline(): string | undefined {
    const { ownFault, options } = this;
    if (ownFault === undefined || options.nowMs() - ownFault.timeMs > ownFaultShownMs) return undefined;
    return ownFaultText(ownFault);
  }

  /** What the API shows. */
  show(): TargetState {
    const { target, options, last, failure, answerWarning, missedByPipeline } = this;
    const warnings = [answerWarning, missedByPipeline].filter((warning) => warning !== undefined);
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
      warning: warnings.length === 0 ? undefined : warnings.join("; "),
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
    const { devices, samples, undecided, rejected } = this.last;
    const { answerWarning } = this;
    const parts = [`${devices} devices, ${samples} samples in ${this.durationMs ?? 0} ms`];
    if (devices === 0) parts.push("no GPU is among them");
    if (undecided > 0) parts.push(`${undecided} samples whose unit is not known yet`);
    if (rejected > 0) parts.push(`${rejected} lines could not be used`);
    if (answerWarning !== undefined) parts.push(answerWarning);
    return parts.join("; ");
  }

  private logWarnings({ frozen, devices, isCut, offTime, timeMs }: ReadScrape): void {
    const { last } = this;
    const { log } = this.options;
    const { name } = this.target;
    if (frozen > 0 && last.frozen === 0) log?.warn(`${name}: ${frozenText({ frozen, devices })}`);
    if (frozen === 0 && last.frozen > 0) log?.info(`${name} no longer repeats its readings`);
    if (isCut && !last.isCut) log?.warn(`${name}: ${cutText}`);
    if (!isCut && last.isCut) log?.info(`the answers of ${name} are whole again`);
    if (offTime !== undefined && last.offTime === undefined) log?.warn(`${name}: ${offTimeText(offTime, timeMs)}`);
    if (offTime === undefined && last.offTime !== undefined)
      log?.info(`the samples of ${name} carry the present time again`);
  }

  /** Those that follow each other for one reason are shown together. */
  private addOwnFault(missed: MissedScrapes): void {
    const { ownFault } = this;
    const isSame = this.missedByPipeline !== undefined && ownFault?.failure.reason === missed.failure.reason;
    this.ownFault = isSame ? { ...missed, count: ownFault.count + missed.count } : missed;
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
