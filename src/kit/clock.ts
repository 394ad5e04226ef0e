/** The source of time. Code that waits or reads the time receives a clock, so that tests control the time. `stopwatch` and
 *  `deadlineIn` use the machine's clock even in tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Resolves after `ms` milliseconds, or immediately (without error) when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `call` after `ms` milliseconds.
   *  @returns a function that prevents the call */
  after(ms: number, call: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    }),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/** Starts measuring a duration, by a monotonic clock.
 *  @returns a function that returns the milliseconds since the start */
export function stopwatch(): () => number {
  const startedAtMs = performance.now();
  return () => performance.now() - startedAtMs;
}

/** The instant `ms` milliseconds from now by the machine's clock, for the deadline of a gRPC call. */
export function deadlineIn(ms: number): Date {
  return new Date(Date.now() + ms);
}
