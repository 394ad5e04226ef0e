import type { Clock } from "./clock.ts";

/** The awaited work did not end in time. */
export class DeadlineExceeded extends Error {
  constructor(readonly ms: number) {
    super(`no answer within ${ms / 1000} s`);
  }
}

/** The time that a piece of work may take. Most work ends in time: then no signal is made. */
export class Deadline {
  private error: DeadlineExceeded | undefined;
  private controller: AbortController | undefined;
  private call: (() => void) | undefined;

  get isExceeded(): boolean {
    return this.error !== undefined;
  }

  /** Aborts when the time is up. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.isExceeded) this.controller.abort(this.error);
    return this.controller.signal;
  }

  /** What to call when the time is up, instead of what was to be called before; undefined: nothing. */
  onExceeded(call: (() => void) | undefined): void {
    this.call = call;
  }

  exceed(error: DeadlineExceeded): void {
    this.error = error;
    this.call?.();
    this.controller?.abort(error);
  }
}

/** Limits the time that `work` may take; a later result or error is ignored.
 *  @throws DeadlineExceeded after `ms`; before that, the error of `work` */
export async function within<T>(clock: Clock, ms: number, work: (deadline: Deadline) => Promise<T>): Promise<T> {
  const deadline = new Deadline();
  const exceeded = Promise.withResolvers<never>();
  const working = work(deadline);
  const cancel = clock.after(ms, () => {
    const error = new DeadlineExceeded(ms);
    // before the work ends with an error of its own
    exceeded.reject(error);
    deadline.exceed(error);
  });
  try {
    return await Promise.race([working, exceeded.promise]);
  } finally {
    cancel();
  }
}

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
