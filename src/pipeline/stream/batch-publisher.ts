import { RangeLost } from "../../domain/errors.ts";
import type { Clock } from "../../kit/clock.ts";
import type { TokenBucket } from "../../kit/token-bucket.ts";
import type { PipelineListener } from "../observe/pipeline-listener.ts";
import type { Published, Queue } from "../queue/queue.ts";
import type { Claim } from "./assignment/claim.ts";
import type { BackPressure } from "./back-pressure.ts";
import { type KeyedBatch, messagesOf, type OutgoingMessage } from "./batch-messages.ts";
import { PublishBuffer } from "./publish-buffer.ts";
import { endPublished, endUnpublished } from "./publish-span.ts";
import type { StreamRetries } from "./stream-retries.ts";

export interface BatchPublisherOptions {
  readonly queue: Queue;
  /** Limits the rate of samples. */
  readonly bucket: TokenBucket;
  readonly backPressure: BackPressure;
  /** A larger payload is sent as several messages. */
  readonly messageMaxBytes: number;
  readonly clock: Clock;
  readonly listener: PipelineListener;
  readonly retries: StreamRetries;
}

/** Publishes the batches of a claim, as fast as the rate limit and the back pressure of the queue allow. */
export class BatchPublisher {
  constructor(private readonly options: BatchPublisherOptions) {}

  /** The back pressure that slows down publishing. */
  get backPressure(): BackPressure {
    return this.options.backPressure;
  }

  /** Publishes all batches in their order, and updates the claim's checkpoint.
   *  @param read reads the batches until the signal that it receives aborts
   *  @returns false when the signal aborted or the claim was lost: some of the batches may then be unpublished
   *  @throws an error of reading, or an error of publishing that is not retryable */
  async publish(
    claim: Claim,
    read: (stop: AbortSignal) => AsyncIterable<KeyedBatch>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const stop = AbortSignal.any([signal, claim.lost]);
    const buffer = this.bufferFor(claim, stop);
    try {
      for await (const batch of read(stop)) await this.add(batch, buffer, stop);
      await buffer.flush();
    } catch (error) {
      if (!(stop.aborted || error instanceof RangeLost)) throw error;
      return false;
    }
    return !stop.aborted;
  }

  private async add(keyed: KeyedBatch, buffer: PublishBuffer, stop: AbortSignal): Promise<void> {
    const { bucket, backPressure, messageMaxBytes } = this.options;
    try {
      await bucket.take(keyed.batch.tally.samples / backPressure.pace, stop);
      await buffer.add(messagesOf(keyed, messageMaxBytes));
    } catch (error) {
      endUnpublished(keyed.span, error);
      throw error;
    }
    await backPressure.pause(stop);
  }

  private bufferFor({ checkpoint }: Claim, signal: AbortSignal): PublishBuffer {
    const { queue, clock, retries } = this.options;
    return new PublishBuffer({
      queue,
      checkpoint,
      clock,
      signal,
      onPublished: (outgoing, published) => this.published(outgoing, published),
      onRetry: (error) => retries.record(error),
    });
  }

  private published(outgoing: readonly OutgoingMessage[], { receipts, depthMessages: depth }: Published): void {
    const { backPressure, listener, retries } = this.options;
    backPressure.observe(depth);
    retries.succeeded();
    outgoing.forEach(({ tally, span }, index) => {
      listener.published(tally, receipts[index]?.duplicate === true);
      endPublished(span, receipts[index]);
    });
  }
}
