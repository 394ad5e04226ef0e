import type { Clock } from "../kit/clock.ts";
import { turnOfOthers } from "../kit/turn.ts";
import { failed, PromqlError } from "./promql-error.ts";

/** Samples that a query may hold in memory at a time: 17 bytes each. */
const samplesMax = 5_000_000;
/** Values that a part of a query may have: series, times steps; 9 bytes each. */
const valuesMax = 5_000_000;
/** Values of an answer: it is written as text, of about 25 bytes each. */
const answerMax = 2_000_000;
/** Values after which others get their turn: some milliseconds. */
const turnEvery = 500_000;

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

  /** Checks that a part of the query is not too large. @throws PromqlError if it is */
  checkSize(values: number): void {
    if (values <= valuesMax) return;
    throw failed(
      `a part of the query has ${values} values, more than ${valuesMax}; select fewer series, or a larger step`,
    );
  }

  /** Checks that an answer is not too large. @throws PromqlError if it is */
  checkAnswer(values: number): void {
    if (values <= answerMax) return;
    throw failed(`the answer has ${values} values, more than ${answerMax}; select fewer series, or a larger step`);
  }

  /** Notes that so many values were computed; now and then, lets others have their turn.
   *  @throws PromqlError when the time is up, and the reason of the signal when the client has left */
  async did(values: number): Promise<void> {
    this.sinceTurn += values;
    if (this.sinceTurn < turnEvery) return;
    this.sinceTurn = 0;
    await turnOfOthers();
    this.check();
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
