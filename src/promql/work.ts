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
}

/** The work of one query: its bounds, and its end. */
export class Work {
  private readonly deadlineMs: number;
  private samples = 0;
  private series = 0;
  private sinceTurn = 0;

  constructor(private readonly options: WorkOptions) {
    this.deadlineMs = options.clock.nowMs() + options.timeoutMs;
  }

  /** Notes samples that are held until the query ends. @throws PromqlError if they are too many */
  hold(samples: number): void {
    this.samples += samples;
    if (this.samples <= samplesMax) return;
    throw failed(
      `the query would load more than ${samplesMax} samples into memory; select fewer series, or a shorter range`,
    );
  }

  /** Notes a series that is held until the query ends. @throws PromqlError if they are too many */
  holdSeries(): void {
    this.series += 1;
    this.sinceTurn += valuesPerNewSeries;
    if (this.series <= seriesMax) return;
    throw failed(
      `the query would load more than ${seriesMax} series into memory; select fewer devices, or fewer metrics`,
    );
  }

  /** Checks that a part of the query is not too large. @throws PromqlError if it is */
  checkSize(series: number, steps: number): void {
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
    await turnOfOthers();
    this.check();
  }

  /** Notes that something was done with a series and so many of its values; as `did`. */
  didSeries(values = 0): Promise<void> | undefined {
    return this.did(valuesPerSeries + values);
  }

  /** @throws PromqlError when the time is up, and the reason of the signal when the client has left */
  check(): void {
    const { clock, signal, timeoutMs } = this.options;
    signal.throwIfAborted();
    if (clock.nowMs() >= this.deadlineMs) {
      throw new PromqlError("timeout", `query timed out in expression evaluation: it took longer than ${timeoutMs} ms`);
    }
  }
}
