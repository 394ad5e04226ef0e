import type { Clock } from "./clock.ts";

export interface RetryOptions {
  readonly clock: Clock;
  /** Ends the trying: the last error is thrown. */
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown) => void;
  /** In [0, 1); the default is the machine's. */
  readonly random?: () => number;
}

/** Longest first pause; each further one may be twice as long. */
const baseMs = 100;
/** No pause is longer. */
const maxMs = 10_000;

/** Tries until it succeeds, fails for good, or the signal aborts; pauses grow exponentially, with full jitter so that
 *  many that failed together do not come back together.
 *  Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export async function retry<T>(operation: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, signal, onRetry, random = Math.random } = options;
  for (let failures = 0; ; failures += 1) {
    try {
      return await operation();
    } catch (error) {
      if (signal.aborted || !isRetryable(error)) throw error;
      onRetry(error);
      await clock.sleep(Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30))), signal);
      if (signal.aborted) throw error;
    }
  }
}

/** True for an error after which the same call may succeed later: the error says so itself. */
export function isRetryable(error: unknown): boolean {
  return error instanceof Error && "retryable" in error && error.retryable === true;
}
