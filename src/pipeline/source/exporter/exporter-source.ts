import type { Logger } from "pino";
import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RejectedInput } from "../../../domain/batch.ts";
import { dialectOfName } from "../../../domain/dialects/dialect-of.ts";
import type { DroppedReading, SourceReading } from "../../../domain/reading.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";
import type { ReceivedExposition } from "../exposition/scanned-exposition.ts";
import type { LiveBatch, LiveSource } from "../source.ts";
import type { TargetState } from "../target-states.ts";
import { FrozenReadings } from "./frozen-readings.ts";
import { Schedule } from "../schedule.ts";
import { readOnSchedule, type SkippedReadings } from "../scheduled-readings.ts";
import type { ScrapeClient } from "./scrape-client.ts";
import { ScrapeFailed } from "./scrape-failed.ts";
import { sourceIdOf, type Target } from "./target.ts";
import { type MissedScrapes, SourceHealth, type SourceHealthOptions } from "../states/source-health.ts";
import type { TargetReader } from "./target-reader.ts";

export interface ExporterSourceOptions extends Omit<SourceHealthOptions, "nowMs" | "log"> {
  readonly log: Logger;
  readonly client: Pick<ScrapeClient, "scrape">;
  readonly openReader: (target: Target) => TargetReader;
  readonly clock: Clock;
}

/** A scrape that is under way when its reader stops may take this long; then it is missed. */
const finishMs = 2000;
const stopFailure = new ScrapeFailed(
  "stopped",
  `the streamer stopped, and the target had not answered ${finishMs / 1000} s later`,
);

/** An exporter that is scraped on a schedule. Each scheduled scrape gives one batch: its records have the scheduled time, and its
 *  reading says whether it was read or why it was missed. Scrapes that were missed together are one batch. */
export class ExporterSource implements LiveSource {
  readonly sourceId: string;
  readonly description: string;
  private readonly schedule: Schedule;
  private readonly health: SourceHealth;

  constructor(
    readonly target: Target,
    private readonly options: ExporterSourceOptions,
  ) {
    this.sourceId = sourceIdOf(target);
    this.description = `exporter ${target.name}`;
    this.schedule = new Schedule(this.sourceId, options.intervalMs);
    this.health = new SourceHealth(
      { ...target, kind: "exporter", sourceId: this.sourceId },
      { ...options, nowMs: () => options.clock.nowMs() },
    );
  }

  /** What this process knows about the target. */
  state(): TargetState {
    return this.health.show();
  }

  /** What is wrong with the answers of the target though it is up; undefined if nothing is. */
  get answerWarning(): string | undefined {
    return this.health.answerWarning;
  }

  /** What the pipeline itself has missed in the last 5 minutes; undefined if it has missed nothing. */
  get missedByPipeline(): string | undefined {
    return this.health.missedByPipeline;
  }

  /** Scrapes that were read could not be published. */
  dropped(reading: DroppedReading): void {
    this.health.dropped(reading);
  }

  async *read(afterMs: number, signal: AbortSignal, takenUntilMs?: number): AsyncIterable<LiveBatch> {
    const { clock, openReader, log } = this.options;
    const scrapes = new Scrapes(openReader(this.target), new FrozenReadings());
    try {
      yield* readOnSchedule(afterMs, signal, {
        schedule: this.schedule,
        takenUntilMs,
        clock,
        read: (dueMs) => this.scrape(scrapes, dueMs, signal),
        skipped: (skipped) => this.missed({ ...skipped, failure: skippedFailure(skipped) }),
        waitsUntil: (dueMs) =>
          log.warn(
            `${this.target.name}: the last scrape is later than this machine's clock; the next one is due at ${formatTimestamp(dueMs)}`,
          ),
      });
    } finally {
      this.health.release();
    }
  }

  /** A scrape that is under way when the signal aborts has a little time to end. */
  private async scrape(scrapes: Scrapes, timeMs: number, signal: AbortSignal): Promise<LiveBatch> {
    const { clock, client } = this.options;
    const elapsedMs = stopwatch();
    const cut = new AbortController();
    const ended = new AbortController();
    const onAbort = (): void => void clock.sleep(finishMs, ended.signal).then(() => cut.abort());
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const received = await client.scrape(this.target.url, cut.signal);
      const { batch, frozenDevices, ...read } = scrapes.read(received, timeMs);
      const { isCut } = read;
      const frozen = frozenDevices.length;
      this.health.read({ ...read, frozen, timeMs, durationMs: Math.round(elapsedMs()) });
      const repeated = frozen === 0 ? {} : { frozen, frozenDevices };
      return { ...this.batchAt({ outcome: "read", timeMs, count: 1, ...repeated }, batch), isCut, tookMs: elapsedMs() };
    } catch (error) {
      const known = error instanceof ScrapeFailed ? error : this.unreadable(error);
      const failure = cut.signal.aborted ? stopFailure : known;
      return this.missed({ timeMs, count: 1, failure, durationMs: Math.round(elapsedMs()) });
    } finally {
      signal.removeEventListener("abort", onAbort);
      ended.abort();
    }
  }

  /** An answer that the reader cannot cope with must not end the scrapes of all other targets. */
  private unreadable(error: unknown): ScrapeFailed {
    this.options.log.error({ err: error }, `the answer of ${this.target.name} cannot be read`);
    return new ScrapeFailed("not_exposition", `its answer cannot be read: ${messageOf(error)}`, { cause: error });
  }

  private missed(missed: MissedScrapes): LiveBatch {
    this.health.missed(missed);
    const { timeMs, count, failure } = missed;
    const { reason, message } = failure;
    return this.batchAt({ outcome: "missed", timeMs, count, reason, message }, new BatchBuilder().build());
  }

  private batchAt(reading: Omit<SourceReading, "intervalMs">, batch: LiveBatch["batch"]): LiveBatch {
    const { timeMs } = reading;
    const { intervalMs } = this.schedule;
    return { timeMs, idempotencyKey: `${this.sourceId}:${timeMs}`, batch, reading: { ...reading, intervalMs } };
  }
}

/** Reads the answers of a target, and compares each with those before it. */
class Scrapes {
  constructor(
    private readonly reader: TargetReader,
    private readonly frozen: FrozenReadings,
  ) {}

  /** @throws ScrapeFailed if no line is a sample and the lines are not merely comments */
  read(received: ReceivedExposition, timeMs: number) {
    // another one for each answer: after an error, a part of the answer would be left in it
    const builder = new BatchBuilder("Hostname");
    const answer = this.reader.read(received, timeMs, builder);
    const batch = builder.build();
    const { samples, sampleLines, rejected } = answer;
    if (sampleLines === 0) noSamples(batch.rejected, answer.isCut);
    // samples of a GPU that two hosts report are rejected only now
    const rejectedLater = batch.rejected.length - rejected;
    const counts = { samples: samples - rejectedLater, rejected: rejected + rejectedLater };
    return { ...answer, ...counts, batch, frozenDevices: this.frozen.observe(batch, timeMs) };
  }
}

const shownCharacters = 60;
/** The beginning of a sample with labels, or a sample without them. */
const sampleBegins = /^\s*[a-zA-Z_:][\w:]*(?:\{|[ \t]+[-+.\d])/;

/** @param isCut true if the text ends in a line
 *  @throws ScrapeFailed unless nothing is wrong with an answer without samples: its lines are comments */
function noSamples(rejected: readonly RejectedInput[], isCut: boolean): void {
  const last = rejected.at(-1)?.raw ?? "";
  if (isCut && (rejected.length === 0 || sampleBegins.test(last) || dialectOfName(last.trim()) !== undefined)) {
    throw new ScrapeFailed("closed_early", "its answer ends in the middle of a line, before the first whole sample");
  }
  if (rejected.length === 0) return;
  const first = JSON.stringify(rejected[0]?.raw.slice(0, shownCharacters) ?? "");
  const count = rejected.length;
  const problem =
    count === 1 ? "its only line is no sample: " : `none of its ${count} lines is a sample; the first is `;
  throw new ScrapeFailed("not_exposition", problem + first);
}

/** Explains scrapes for which there was no attempt. */
function skippedFailure({ cause, spanMs }: SkippedReadings): ScrapeFailed {
  const seconds = Math.round(spanMs / 1000);
  if (cause === "no streamer") return new ScrapeFailed("no_streamer", `no streamer read the target for ${seconds} s`);
  if (cause === "held up") return new ScrapeFailed("no_streamer", `the streamer was held up for ${seconds} s`);
  const message = `for ${seconds} s, the queue took no scrapes, and the memory for those that wait was full`;
  return new ScrapeFailed("memory_full", message);
}
