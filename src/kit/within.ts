import type { Clock } from "./clock.ts";

/** The awaited work did not end in time. */
export class DeadlineExceeded extends Error {
  constructor(readonly ms: number) {
    super(`no answer within ${ms / 1000} s`);
  }
}

/** Limits the time that `work` may take; a later result or error is ignored.
 *  @param work receives a signal that aborts when the time is up
 *  @throws DeadlineExceeded after `ms`; before that, the error of `work` */
export async function within<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const done = new AbortController();
  const exceeded = new AbortController();
  const working = work(exceeded.signal);
  const timer = clock.sleep(ms, done.signal).then((): Promise<T> => {
    // an error that is not seen would take longer than all else here
    if (done.signal.aborted) return working;
    throw new DeadlineExceeded(ms);
  });
  // the promise that loses the race may reject later; no other code handles that rejection
  timer.catch(() => undefined);
  working.catch(() => undefined);
  try {
    return await Promise.race([working, timer]);
  } catch (error) {
    if (error instanceof DeadlineExceeded) exceeded.abort(error);
    throw error;
  } finally {
    done.abort(ended);
  }
}

/** A reason: without one, a signal makes an error, which takes longer than all else here. */
const ended = "the work has ended";

/** Waits for `work`, but at most `ms`. @returns whether `work` ended in time. @throws the error of `work` if `work` fails in
 *  time */
export async function endsWithin(clock: Clock, ms: number, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await within(clock, ms, work);
    return true;
  } catch (error) {
    if (error instanceof DeadlineExceeded) return false;
    throw error;
  }
}
