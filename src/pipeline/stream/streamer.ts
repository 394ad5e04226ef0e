import type { Logger } from "pino";
import type { Clock } from "../../kit/clock.ts";
import { RangeLost } from "../../domain/errors.ts";
import { messageOf } from "../../kit/message-of.ts";
import type { BackPressure } from "./back-pressure.ts";
import { retry } from "../../kit/retry.ts";
import { messagesOf, type OutgoingMessage } from "./batch-messages.ts";
import { PublishBuffer } from "./publish-buffer.ts";
import type { PipelineListener } from "../observe/pipeline-listener.ts";
import type { Published, Queue } from "../queue/queue.ts";
import type { ClaimedRange, RangeAssignment } from "./assignment/range-assignment.ts";
import type { Service } from "../../kit/service.ts";
import type { Source, SourceBatch } from "../source/source.ts";
import type { TokenBucket } from "../../kit/token-bucket.ts";

export interface StreamerOptions {
  /** The source of a round, from 0; undefined when there are no more rounds. */
  readonly openSource: (round: number) => Promise<Source | undefined>;
  readonly queue: Queue;
  /** Says what of a source is left for this streamer to read. */
  readonly ranges: RangeAssignment;
  /** Holds the rate down; counted in samples. */
  readonly bucket: TokenBucket;
  readonly backPressure: BackPressure;
  /** Pause between two batches. */
  readonly intervalMs: number;
  /** A larger payload is sent as several messages. */
  readonly messageMaxBytes: number;
  readonly clock: Clock;
  readonly listener: PipelineListener;
  readonly log: Logger;
}

/** Reads what of a source nobody has read yet, range by range, and publishes each batch as one message.
 *
 *  IDLE -start-> STREAMING -source ends, no further round-> FINISHED
 *  STREAMING -source fails-> FAILED (fault() says why; a restart resumes)
 *  any -stop-> STOPPED; what is published stays published, the rest is read by another or at the next start. */
export class Streamer implements Service {
  readonly name = "streamer";
  private readonly halt = new AbortController();
  private running: Promise<void> | undefined;
  private failure: string | undefined;
  private heldUp: string | undefined;

  constructor(private readonly options: StreamerOptions) {}

  start(): Promise<void> {
    if (!this.halt.signal.aborted) this.running ??= this.stream().catch((error: unknown) => this.fail(error));
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.halt.abort();
    await this.running;
    await this.options.ranges.close();
  }

  error(): string | undefined {
    return this.failure ?? this.heldUp;
  }

  activity(): string | undefined {
    const { pace, depthMessages } = this.options.backPressure;
    if (pace === 1) return undefined;
    return `slowed to ${Math.round(pace * 100)} % of full speed: the queue holds ${depthMessages} messages`;
  }

  private async stream(): Promise<void> {
    for (let round = 0; !this.halt.signal.aborted; round += 1) {
      const source = await this.retrying(() => this.options.openSource(round));
      if (source === undefined) return;
      await this.streamSource(source);
    }
  }

  private async streamSource(source: Source): Promise<void> {
    const { ranges, listener } = this.options;
    const { signal } = this.halt;
    listener.sourceOpened(source, await this.retrying(() => ranges.covered(source)));
    while (!signal.aborted) {
      const claimed = await this.retrying(() => ranges.claim(source, signal));
      if (claimed === undefined) break;
      await this.streamRange(source, claimed);
    }
    if (!signal.aborted) listener.sourceFinished(source);
  }

  private async streamRange(source: Source, claimed: ClaimedRange): Promise<void> {
    const stop = AbortSignal.any([this.halt.signal, claimed.lost]);
    const buffer = this.bufferFor(claimed, stop);
    try {
      await this.readInto(buffer, source.read(claimed.range, stop), stop);
      await buffer.flush();
      if (!stop.aborted) return await this.retrying(() => claimed.finish());
    } catch (error) {
      if (!(stop.aborted || error instanceof RangeLost)) throw error;
    }
    // What was read and not published is read again by whoever claims the range next.
    if (claimed.lost.aborted) this.options.log.warn("a range of the source went to another streamer");
    await claimed.release().catch((error: unknown) => this.report(error));
  }

  private async readInto(buffer: PublishBuffer, batches: AsyncIterable<SourceBatch>, stop: AbortSignal): Promise<void> {
    const { bucket, backPressure, messageMaxBytes, intervalMs, clock } = this.options;
    for await (const batch of batches) {
      await bucket.take(batch.batch.tally.samples / backPressure.pace, stop);
      for (const outgoing of messagesOf(batch, messageMaxBytes)) await buffer.add(outgoing);
      if (stop.aborted) return;
      await clock.sleep(intervalMs, stop);
      await backPressure.pause(stop);
    }
  }

  private bufferFor({ checkpoint }: ClaimedRange, signal: AbortSignal): PublishBuffer {
    const { queue, clock } = this.options;
    return new PublishBuffer({
      queue,
      checkpoint,
      clock,
      signal,
      onPublished: (outgoing, published) => this.published(outgoing, published),
      onRetry: (error) => this.report(error),
    });
  }

  private published(outgoing: readonly OutgoingMessage[], { receipts, depth }: Published): void {
    const { backPressure, listener } = this.options;
    backPressure.note(depth);
    this.heldUp = undefined;
    outgoing.forEach(({ tally }, index) => listener.published(tally, receipts[index]?.duplicate === true));
  }

  private async retrying<T>(operation: () => Promise<T>): Promise<T> {
    const { clock } = this.options;
    const { signal } = this.halt;
    const result = await retry(operation, { clock, signal, onRetry: (error) => this.report(error) });
    this.heldUp = undefined;
    return result;
  }

  private report(error: unknown): void {
    const heldUp = `streaming is held up: ${messageOf(error)}`;
    this.options.listener.retried(error as Error);
    if (heldUp !== this.heldUp) this.options.log.warn({ err: error }, heldUp);
    this.heldUp = heldUp;
  }

  private fail(error: unknown): void {
    if (this.halt.signal.aborted) return;
    this.failure = `streaming stopped: ${messageOf(error)}`;
    this.options.log.error({ err: error }, this.failure);
  }
}
