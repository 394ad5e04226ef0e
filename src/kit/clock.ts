/** Where time comes from. Everything that waits or looks at the time takes one, so that tests own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  /** Resolves after `ms` milliseconds, or at once (without error) when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
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
};

/** Starts measuring how long something takes, by a clock that nobody sets.
 *  @returns a function that says how many milliseconds have passed since */
export function stopwatch(): () => number {
  const startedAtMs = performance.now();
  return () => performance.now() - startedAtMs;
}

/** The instant `ms` milliseconds from now, by the machine's clock: what gRPC takes as a call's deadline. */
export function deadlineIn(ms: number): Date {
  return new Date(Date.now() + ms);
}
