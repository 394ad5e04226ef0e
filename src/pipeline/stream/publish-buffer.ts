import type { Clock } from "../../kit/clock.ts";
import { retry } from "../../kit/retry.ts";
import type { OutgoingMessage } from "./batch-messages.ts";
import { endUnpublished } from "./publish-span.ts";
import type { Checkpoint, Published, Queue } from "../queue/queue.ts";

export interface PublishBufferOptions {
  readonly queue: Queue;
  readonly checkpoint: Checkpoint | undefined;
  readonly clock: Clock;
  /** Ends waiting and retrying; if messages are not published yet, they are dropped, and later calls throw. */
  readonly signal: AbortSignal;
  readonly onPublished: (messages: readonly OutgoingMessage[], published: Published) => void;
  readonly onRetry: (error: unknown) => void;
}

/** Enough that reading continues while a publish is under way; more would only wait here. */
const waitingMaxMessages = 32;
const waitingMaxBytes = 1024 * 1024;

/** Publishes messages in the order in which they were added, one publish at a time: each sends all messages that were added
 *  during the previous one. */
export class PublishBuffer {
  private waiting: OutgoingMessage[] = [];
  private waitingBytes = 0;
  private publishing: Promise<void> | undefined;
  private error: unknown;

  constructor(private readonly options: PublishBufferOptions) {}

  /** Adds the messages of a batch, which are published together; waits first while a publish is under way and the buffer is full.
   *  @throws the error that ended publishing: it cannot be retried, or the signal has aborted */
  async add(outgoing: readonly OutgoingMessage[]): Promise<void> {
    while (this.publishing !== undefined && this.isFull) await this.publishing;
    this.throwError();
    this.waiting.push(...outgoing);
    for (const { message } of outgoing) this.waitingBytes += message.payload.length;
    this.publishing ??= this.publishWaiting();
  }

  /** Resolves when every added message is published. @throws as `add` does */
  async flush(): Promise<void> {
    while (this.publishing !== undefined) await this.publishing;
    this.throwError();
  }

  private get isFull(): boolean {
    return this.waiting.length >= waitingMaxMessages || this.waitingBytes >= waitingMaxBytes;
  }

  /** Publishes the waiting messages, then those that were added meanwhile; after an error, drops all of them. Never rejects. */
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
      this.error = error;
      for (const { span } of [...outgoing, ...this.waiting]) endUnpublished(span, error);
      this.waiting = [];
    }
    this.publishing = this.waiting.length > 0 ? this.publishWaiting() : undefined;
  }

  private throwError(): void {
    if (this.error !== undefined) throw this.error as Error;
  }
}
