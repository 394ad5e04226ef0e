import type { ClaimOptions, Delivery } from "../queue.ts";
import type { Claimer } from "./claimer.ts";
import type { ReadyIndex } from "./ready-index.ts";

interface Waiting {
  readonly options: ClaimOptions;
  readonly resolve: (deliveries: Delivery[]) => void;
  readonly reject: (error: Error) => void;
}

/** The maximum number of messages claimed in one transaction: for each message, the transaction has five operations, and
 *  returns the payload. */
const transactionMaxMessages = 32;
/** The maximum number of ready messages that a claim may skip. */
const skippedMax = 256;

/** A process's waiting consumers. Messages are claimed for all of them, in one transaction at a time.
 *
 *  Other processes see the same messages as ready, so two processes may claim the same message: a conflict. After a conflict,
 *  the next claim of this process skips a random number of ready messages. The maximum of this number at least doubles with
 *  each claim that has a conflict, up to `skippedMax`, and halves with each claim without a conflict. */
export class WaitingConsumers {
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;
  private skippedMaxNow = 0;
  private closed = false;

  constructor(
    private readonly index: ReadyIndex,
    private readonly claimer: Claimer,
    private readonly giveBack: (deliveries: readonly Delivery[]) => Promise<void>,
  ) {}

  /** @returns at least one message, or none if the signal aborts or the queue is closed
   *  @throws the error of a failed claim */
  wait(options: ClaimOptions): Promise<Delivery[]> {
    const { signal } = options;
    if (signal.aborted || this.closed) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting = this.waiting.filter((other) => other !== entry);
        resolve([]);
      };
      const entry: Waiting = {
        options,
        resolve: (deliveries) => {
          signal.removeEventListener("abort", leave);
          resolve(deliveries);
        },
        reject: (error) => {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.waiting.push(entry);
      this.advance();
    });
  }

  /** Call this when messages may have become ready. */
  advance(): void {
    this.running ??= this.serve();
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const { resolve } of this.waiting.splice(0)) resolve([]);
    await this.running;
  }

  private async serve(): Promise<void> {
    await Promise.resolve(); // consumers that arrive in the same turn of the event loop share a transaction
    while (!this.closed && this.waiting.length > 0 && this.index.readyCount > 0) await this.claimOnce();
    this.running = undefined;
  }

  private async claimOnce(): Promise<void> {
    const wantedMessages = this.waiting.reduce((sum, { options }) => sum + options.maxMessages, 0);
    const consumerId = this.waiting[0]?.options.consumerId ?? "";
    const skippable = Math.max(0, this.index.readyCount - wantedMessages);
    const ids = this.index.pick(
      Math.min(wantedMessages, transactionMaxMessages),
      Math.floor(Math.random() * Math.min(this.skippedMaxNow, skippable)),
    );
    try {
      const { deliveries, conflicts } = await this.claimer.claim(ids, consumerId);
      this.skippedMaxNow =
        conflicts > 0
          ? Math.min(skippedMax, Math.max(ids.length, this.skippedMaxNow * 2))
          : Math.floor(this.skippedMaxNow / 2);
      await this.handOut([...deliveries]);
    } catch (error) {
      this.index.putBack(ids);
      for (const { reject } of this.waiting.splice(0)) reject(error as Error);
    }
  }

  /** Distributes the messages to the consumers, in the order in which they started to wait, and returns the remaining messages
   *  to the queue. */
  private async handOut(deliveries: Delivery[]): Promise<void> {
    while (deliveries.length > 0) {
      const next = this.waiting.shift();
      if (next === undefined) break;
      next.resolve(deliveries.splice(0, next.options.maxMessages));
    }
    if (deliveries.length > 0) await this.giveBack(deliveries);
  }
}
