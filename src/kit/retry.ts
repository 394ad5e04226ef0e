import type { Clock } from "./clock.ts";

export interface RetryOptions {
  readonly clock: Clock;
  /** Ends the retries; the last error is then thrown. */
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown) => void;
  /** Returns a number in [0, 1); the default is Math.random. */
  readonly random?: () => number;
}

/** Maximum of the first pause; the maximum doubles with each further pause. */
const baseMs = 100;
/** Maximum of any pause. */
const maxMs = 10_000;

/** Repeats the operation until it succeeds or throws an error that is not retryable, or the signal aborts. Pauses grow
 *  exponentially, with full jitter, so that callers that failed together do not retry together.
 *  @throws the error that is not retryable; if the signal aborts, the last error
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

/** True for an error with `retryable: true`: the same call may succeed later. */
export function isRetryable(error: unknown): boolean {
  return error instanceof Error && "retryable" in error && error.retryable === true;
}
