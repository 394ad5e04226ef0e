import type { Clock } from "../../kit/clock.ts";
import type { Delivery, Queue } from "../queue/queue.ts";

interface LeaseEnds {
  /** The work is done. */
  readonly done: AbortSignal;
  /** The message has been given back. */
  readonly givenUp: AbortSignal;
  /** The lease could not be extended: the work continues without it, because the store accepts a message only once, from any collector. */
  readonly onError: (error: unknown) => void;
}

/** Extends the lease of a delivery until its work ends, so that slow work does not cause a second delivery of the message. */
export async function keepLease(
  { queue, clock, leaseSeconds }: { readonly queue: Queue; readonly clock: Clock; readonly leaseSeconds: number },
  delivery: Delivery,
  { done, givenUp, onError }: LeaseEnds,
): Promise<void> {
  for (;;) {
    await clock.sleep((leaseSeconds * 1000) / 3, done);
    if (done.aborted || givenUp.aborted) return;
    await queue.extend([delivery]).catch(onError);
  }
}
