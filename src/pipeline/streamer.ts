import type { Logger } from "pino";
import type { Clock } from "../domain/clock.ts";
import { messageOf } from "../domain/errors.ts";
import { retry } from "./backoff.ts";
import { gapsOf } from "./gaps.ts";
import type { PipelineListener } from "./pipeline-listener.ts";
import { encodeBatch } from "./queue/batch-codec.ts";
import type { NewMessage, Queue } from "./queue/queue.ts";
import type { Service } from "./service.ts";
import type { Source, SourceBatch } from "./source/source.ts";
import type { TelemetryStore } from "./store/telemetry-store.ts";
import type { TokenBucket } from "./token-bucket.ts";

export interface StreamerOptions {
  /** The source of a round, from 0; undefined when there are no more rounds. */
  readonly openSource: (round: number) => Promise<Source | undefined>;
  readonly queue: Queue;
  /** Knows what of a source is stored already. */
  readonly store: Pick<TelemetryStore, "progressOf">;
  /** Holds the rate down; counted in samples. */
  readonly bucket: TokenBucket;
  /** Pause between two batches. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly listener: PipelineListener;
  readonly log: Logger;
}

/** Reads what of a source is not stored yet and publishes each batch as one message.
 *
 *  IDLE -start-> STREAMING -source ends, no further round-> FINISHED
 *  STREAMING -source fails-> FAILED (fault() says why; a restart resumes)
 *  any -stop-> STOPPED; what is published stays published, the rest is read at the next start. */
export class Streamer implements Service {
  readonly name = "streamer";
  private readonly halt = new AbortController();
  private running: Promise<void> | undefined;
  private failure: string | undefined;

  constructor(private readonly options: StreamerOptions) {}

  start(): Promise<void> {
    if (!this.halt.signal.aborted) this.running ??= this.stream().catch((error: unknown) => this.fail(error));
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.halt.abort();
    await this.running;
  }

  fault(): string | undefined {
    return this.failure;
  }

  private async stream(): Promise<void> {
    for (let round = 0; !this.halt.signal.aborted; round += 1) {
      const source = await this.options.openSource(round);
      if (source === undefined) return;
      await this.streamSource(source);
    }
  }

  private async streamSource(source: Source): Promise<void> {
    const { store, listener } = this.options;
    const progress = await this.retrying(() => store.progressOf(source.sourceId));
    listener.sourceOpened(source, progress);
    for (const gap of gapsOf(source.start, source.endOffset, progress.stored)) {
      for await (const batch of source.read(gap, this.halt.signal)) {
        await this.publish(batch);
        if (this.halt.signal.aborted) return;
        await this.options.clock.sleep(this.options.intervalMs, this.halt.signal);
      }
    }
    if (!this.halt.signal.aborted) listener.sourceFinished(source);
  }

  private async publish(batch: SourceBatch): Promise<void> {
    const { bucket, queue, listener } = this.options;
    await bucket.take(batch.batch.tally.samples, this.halt.signal);
    const message = messageFor(batch);
    const { duplicate } = await this.retrying(() => queue.publish(message, this.halt.signal));
    listener.published(batch, duplicate);
  }

  private retrying<T>(operation: () => Promise<T>): Promise<T> {
    const { clock, listener } = this.options;
    return retry(operation, {
      clock,
      signal: this.halt.signal,
      onRetry: (error) => listener.retried(error as Error),
    });
  }

  private fail(error: unknown): void {
    if (this.halt.signal.aborted) return;
    this.failure = `streaming stopped: ${messageOf(error)}`;
    this.options.log.error({ err: error }, this.failure);
  }
}

/** The message of a batch; its key names the stretch, so that the same stretch is one message whoever reads it. */
function messageFor({ range, batch }: SourceBatch): NewMessage {
  return {
    ...encodeBatch(batch),
    idempotencyKey: `${range.sourceId}:${range.from.offset}-${range.to.offset}`,
    traceId: crypto.randomUUID(),
    count: batch.recordCount,
    source: range,
  };
}
