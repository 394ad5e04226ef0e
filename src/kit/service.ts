/** A part that runs on its own from start to stop: streamer, collector, server. */
export interface Service {
  readonly name: string;
  /** Resolves once it runs; a second call does nothing. A service that was stopped is not started again. */
  start(): Promise<void>;
  /** Takes in nothing new, finishes what it has, resolves when done; the signal's abort cuts that short.
   *  Before start, or a second time, it does nothing. */
  stop(deadline: AbortSignal): Promise<void>;
  /** Undefined while well; else one sentence on what is wrong and what to do. */
  error(): string | undefined;
  /** What it is at, where an operator would want to know: "publishing at 40 % of full speed, ..." */
  activity(): string | undefined;
}
