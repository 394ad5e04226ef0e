import { Fifo } from "../../../kit/fifo.ts";

/** Ends a caller's wait. @returns false if the caller was no longer waiting, because its signal had aborted */
type Waiter = () => boolean;

/** Callers that wait for their turn. */
export class Waiters {
  private readonly waiting = new Fifo<Waiter>();

  /** Waits until it is this caller's turn, the signal aborts, or all are woken. */
  async wait(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      let isWaiting = true;
      const wake = (): boolean => {
        const wasWaiting = isWaiting;
        isWaiting = false;
        signal.removeEventListener("abort", wake);
        resolve();
        return wasWaiting;
      };
      this.waiting.push(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
    // if the turn came together with the abort, pass it to the next waiter
    if (signal.aborted) this.wakeNext();
  }

  /** Waits until a condition no longer holds; it is checked whenever all are woken. @throws the signal's reason if it aborts before */
  async waitWhile(holds: () => boolean, signal: AbortSignal): Promise<void> {
    while (holds()) {
      signal.throwIfAborted();
      await this.wait(signal);
    }
  }

  /** Wakes the caller that has waited longest. */
  wakeNext(): void {
    for (let wake = this.waiting.shift(); wake !== undefined; wake = this.waiting.shift()) if (wake()) return;
  }

  wakeAll(): void {
    this.waiting.drain((wake) => wake());
  }
}
