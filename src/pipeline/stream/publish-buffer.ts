import type { Clock } from "../../kit/clock.ts";
import { retry } from "../../kit/retry.ts";
import type { OutgoingMessage } from "./batch-messages.ts";
import type { Checkpoint, Published, Queue } from "../queue/queue.ts";

export interface PublishBufferOptions {
  readonly queue: Queue;
  readonly checkpoint: Checkpoint | undefined;
  readonly clock: Clock;
  /** Gives up waiting and retrying; what is not published then is read again another time. */
  readonly signal: AbortSignal;
  readonly onPublished: (messages: readonly OutgoingMessage[], published: Published) => void;
  readonly onRetry: (error: unknown) => void;
}

/** Enough that reading goes on while a publish is under way; what is more would only sit here. */
const waitingMaxMessages = 32;
const waitingMaxBytes = 1024 * 1024;

/** Publishes a range's messages in their order: one publish at a time, and what is added meanwhile goes into the next. */
export class PublishBuffer {
  private waiting: OutgoingMessage[] = [];
  private waitingBytes = 0;
  private publishing: Promise<void> | undefined;
  private failure: unknown;

  constructor(private readonly options: PublishBufferOptions) {}

  /** Waits while too much is unpublished. @throws what made a publish fail for good */
  async add(outgoing: OutgoingMessage): Promise<void> {
    while (this.publishing !== undefined && this.isFull) await this.publishing;
    this.throwFailure();
    this.waiting.push(outgoing);
    this.waitingBytes += outgoing.message.payload.length;
    this.publishing ??= this.publishWaiting();
  }

  /** Resolves when everything added is published. @throws what made a publish fail for good */
  async flush(): Promise<void> {
    while (this.publishing !== undefined) await this.publishing;
    this.throwFailure();
  }

  private get isFull(): boolean {
    return this.waiting.length >= waitingMaxMessages || this.waitingBytes >= waitingMaxBytes;
  }

  /** Publishes what is waiting now; where more has come since, goes on as the next `publishing`. Never rejects. */
  private async publishWaiting(): Promise<void> {
    const { queue, checkpoint, clock, signal, onPublished, onRetry } = this.options;
    const outgoing = this.waiting;
    const messages = outgoing.map(({ message }) => message);
    this.waiting = [];
    this.waitingBytes = 0;
    try {
      const published = await retry(() => queue.publish(messages, { signal, checkpoint }), { clock, signal, onRetry });
      onPublished(outgoing, published);
    } catch (error) {
      this.failure = error;
      this.waiting = [];
    }
    this.publishing = this.waiting.length > 0 ? this.publishWaiting() : undefined;
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure as Error;
  }
}
