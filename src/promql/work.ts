import type { Clock } from "../kit/clock.ts";
import { turnOfOthers } from "../kit/turn.ts";
import { failed, PromqlError } from "./promql-error.ts";

/** Samples that a query may hold in memory at a time: 17 bytes each. */
const samplesMax = 5_000_000;
/** Values that a part of a query may have: series, times steps; 9 bytes each. */
const valuesMax = 5_000_000;
/** Values of an answer: it is written as text, of about 25 bytes each. */
const answerMax = 2_000_000;
/** Series that a query may hold at a time: about 500 bytes each, besides their samples. */
const seriesMax = 250_000;
/** Series of an answer: it is written as text, of about 700 bytes each. */
const answerSeriesMax = 50_000;
/** What a small query may have at most. */
const smallMax = { samples: 500_000, values: 500_000, series: 10_000 } as const;
/** A page of the store has up to so many times as much as the one before it. */
const pageGrowth = 4;
/** Values after which others get their turn: some milliseconds. */
const turnEvery = 500_000;
/** To do something with the labels of a series takes about as long as to compute so many values. */
const valuesPerSeries = 100;
/** To make a series takes longer. */
const valuesPerNewSeries = 400;

/** How long a query may take, and at most may ask for. */
export const timeoutMaxMs = 120_000;

export interface WorkOptions {
  readonly clock: Clock;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
  /** How long the query may take. */
  readonly timeoutMs: number;
  /** Called whenever others get their turn. */
  readonly onTurn?: () => void;
}

/** A query that was begun as a small one is large, and there is no room for it now: it has to be begun again. */
export class LargeQuery extends Error {}

/** The work of one query: its bounds, and its end. */
export class Work {
  /** Called when the work is no longer that of a small query; undefined: it is not bounded so. */
  private enlarge: (() => boolean) | undefined;
  private deadlineMs: number;
  private samples = 0;
  private series = 0;
  /** Those that were held before the newest page of the store. */
  private samplesBefore = 0;
  private seriesBefore = 0;
  private sinceTurn = 0;

  constructor(private readonly options: WorkOptions) {
    this.deadlineMs = options.clock.nowMs() + options.timeoutMs;
  }

  /** The same work with the bounds of a small query.
   *  @param enlarge called where it has more: true if it may go on as a large query; otherwise, `LargeQuery` is thrown */
  asSmall(enlarge: () => boolean): Work {
    const small = new Work(this.options);
    small.enlarge = enlarge;
    small.deadlineMs = this.deadlineMs;
    return small;
  }

  /** Aborts when the client has left. */
  get signal(): AbortSignal {
    return this.options.signal;
  }

  /** The time that is left: milliseconds. */
  get leftMs(): number {
    return Math.max(0, this.deadlineMs - this.options.clock.nowMs());
  }

  /** Notes samples that are held until the query ends. @throws PromqlError if they are too many */
  hold(samples: number): void {
    this.samples += samples;
    this.checkSmall("samples", this.samples);
    if (this.samples <= samplesMax) return;
    throw failed(
      `the query would load more than ${samplesMax} samples into memory; select fewer series, or a shorter range`,
    );
  }

  /** Notes that a page of the store was read, after which there are more. The next one may have several times as many series and samples:
   *  a query that is then large is large before it holds that page.
   *  @throws LargeQuery */
  readPage(): void {
    this.checkSmall("series", this.series + pageGrowth * (this.series - this.seriesBefore));
    this.checkSmall("samples", this.samples + pageGrowth * (this.samples - this.samplesBefore));
    this.seriesBefore = this.series;
    this.samplesBefore = this.samples;
  }

  /** Notes a series that is held until the query ends. @throws PromqlError if they are too many */
  holdSeries(): void {
    this.series += 1;
    this.checkSmall("series", this.series);
    this.sinceTurn += valuesPerNewSeries;
    if (this.series <= seriesMax) return;
    throw failed(
      `the query would load more than ${seriesMax} series into memory; select fewer devices, or fewer metrics`,
    );
  }

  /** Checks that a part of the query is not too large. @throws PromqlError if it is */
  checkSize(series: number, steps: number): void {
    this.checkSmall("series", series);
    this.checkSmall("values", series * steps);
    if (series > seriesMax) {
      throw failed(`a part of the query has more than ${seriesMax} series; select fewer devices, or fewer metrics`);
    }
    const values = series * steps;
    if (values <= valuesMax) return;
    throw failed(
      `a part of the query has ${values} values, more than ${valuesMax}; select fewer series, or a larger step`,
    );
  }

  /** Checks that an answer is not too large. @throws PromqlError if it is */
  checkAnswer({ series, values }: { readonly series: number; readonly values: number }): void {
    this.checkSmall("series", series);
    this.checkSmall("values", values);
    if (series > answerSeriesMax) {
      throw failed(
        `the answer has ${series} series, more than ${answerSeriesMax}; select fewer series, aggregate them, or set a limit`,
      );
    }
    if (values <= answerMax) return;
    throw failed(`the answer has ${values} values, more than ${answerMax}; select fewer series, or a larger step`);
  }

  /** Notes that so many values were computed; now and then, lets others have their turn.
   *  @throws PromqlError when the time is up, and the reason of the signal when the client has left */
  did(values: number): Promise<void> | undefined {
    this.sinceTurn += values;
    return this.sinceTurn < turnEvery ? undefined : this.turn();
  }

  private async turn(): Promise<void> {
    this.sinceTurn = 0;
    this.options.onTurn?.();
    await turnOfOthers();
    this.check();
  }

  /** Notes that something was done with a series and so many of its values; as `did`. */
  didSeries(values = 0): Promise<void> | undefined {
    return this.did(valuesPerSeries + values);
  }

  /** @throws PromqlError when the time is up, and the reason of the signal when the client has left */
  check(): void {
    this.signal.throwIfAborted();
    if (this.leftMs === 0) throw this.timedOut();
  }

  /** The error of a query whose time is up. */
  timedOut(): PromqlError {
    const { timeoutMs } = this.options;
    return new PromqlError("timeout", `query timed out in expression evaluation: it took longer than ${timeoutMs} ms`);
  }

  private checkSmall(of: keyof typeof smallMax, count: number): void {
    if (this.enlarge === undefined || count <= smallMax[of]) return;
    if (!this.enlarge()) throw new LargeQuery(`${count} ${of}`);
    this.enlarge = undefined;
  }
}
