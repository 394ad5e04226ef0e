import type { Logger } from "pino";
import type { RecordBatch } from "../../domain/batch.ts";
import { BaseService } from "../../kit/base-service.ts";
import { aborted } from "../../kit/aborted.ts";
import type { Clock } from "../../kit/clock.ts";
import { NeedsNewerVersion, QueueClosed } from "../../domain/errors.ts";
import { retry } from "../../kit/retry.ts";
import type { Tracing } from "../../kit/tracing.ts";
import type { HotTier } from "../hot/hot-tier.ts";
import type { PipelineListener } from "../observe/pipeline-listener.ts";
import { decodeBatch } from "../queue/batch-codec.ts";
import type { Delivery, Queue } from "../queue/queue.ts";
import type { IngestMessage, TelemetryStore } from "../store/telemetry-store.ts";
import { DeliveryTrace, toldOf } from "./delivery-trace.ts";
import { keepLease } from "./keep-lease.ts";

export interface CollectorOptions {
  /** Unique among the collectors of a queue. */
  readonly consumerId: string;
  readonly queue: Queue;
  readonly store: TelemetryStore;
  /** Receives each batch after the store has committed it. */
  readonly hotTier: Pick<HotTier, "write">;
  /** Called until it resolves; only then does the collector claim messages. @throws an error that is not retryable if this
   *  process must not collect */
  readonly admit: () => Promise<void>;
  /** Number of workers. Each stores one message at a time, while its previous message may still wait for the hot tier. */
  readonly workers: number;
  /** The queue's lease in seconds; during slow work the lease is extended every third of this time. */
  readonly leaseSeconds: number;
  /** If true, a stop first empties the queue: necessary if the queue does not outlive the process. */
  readonly drainOnStop: boolean;
  readonly clock: Clock;
  readonly listener: PipelineListener;
  /** Absent: no traces are made. */
  readonly tracing?: Tracing;
  readonly log: Logger;
}

/** A delivery that a worker handles. */
interface Handled {
  readonly delivery: Delivery;
  readonly trace: DeliveryTrace;
  /** Called when the message is in the store. */
  readonly onStored: () => void;
}

/** Under the 5 s in which the messages of a stopping collector are to be free for others. Storing a message usually takes a
 *  fraction of a second. */
const finishMs = 4000;
/** A worker has at most so many messages, see `work`. */
const messagesOfWorker = 2;
/** How long a collector whose work is held up waits for a message before it looks whether there are any. */
const heldUpCheckMs = 3000;
/** How often a collector looks whether the messages are gone that it has left for a newer version. */
const leftMs = 2000;

/** Moves messages from the queue to the store and the hot tier: claims, decodes, validates, ingests, writes to the hot
 *  tier, and only then acknowledges. If a step before the acknowledgement fails with an error that is not retryable, the
 *  collector rejects the message. A message that a newer version has to handle is left for a collector of that version.
 *
 *  Stopping ends the wait for new messages. For `finishMs`, the collector finishes the messages that it has claimed, then it
 *  gives the others back to the queue, so that they do not wait for a slow store. With `drainOnStop`, it finishes them, and the
 *  queued messages, until the deadline. What it finishes after that, it does not acknowledge. */
export class Collector extends BaseService {
  private readonly heldUp = this.repeatedError({
    prefix: "collecting is held up",
    ended: "collecting continues",
  });

  private readonly forNewer = this.repeatedError({
    prefix: "messages are left for a newer version of this program; start collectors of that version",
    ended: "no message waits for a newer version any more",
  });

  private watchingLeft: Promise<void> | undefined;
  private readonly held = new Map<Delivery, DeliveryTrace>();
  private readonly givenUp = new AbortController();

  constructor(private readonly options: CollectorOptions) {
    super("collector", options.log);
  }

  /** Messages that this collector has claimed and not yet settled. */
  get inFlight(): number {
    return this.held.size;
  }

  protected override async run(): Promise<void> {
    await this.admitted();
    if (this.stopping.aborted) return;
    const working = Array.from({ length: this.options.workers }, () => this.work());
    await this.unlessGivenUp(Promise.all(working));
    await this.watchingLeft;
  }

  protected override async close(): Promise<void> {
    if (this.options.drainOnStop) await this.unlessGivenUp(this.drain());
  }

  /** Waits for the work, but not longer than a stopping collector may finish its messages. */
  private async unlessGivenUp(work: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    await Promise.race([work.finally(() => done.abort()), this.giveUp(done.signal)]);
  }

  private async giveUp(done: AbortSignal): Promise<void> {
    const { queue, clock, drainOnStop, log } = this.options;
    const end = AbortSignal.any([this.deadline, done]);
    await aborted(AbortSignal.any([this.stopping, done]));
    await (drainOnStop ? aborted(end) : clock.sleep(finishMs, end));
    if (done.aborted) return;
    this.givenUp.abort();
    const left = [...this.held.keys()];
    for (const trace of this.held.values()) trace.end("given back");
    // if the queue does not answer, the claims end when it is closed, or with their lease
    await Promise.allSettled(left.map((delivery) => queue.reject(delivery, undefined)));
    if (left.length > 0) log.warn({ messages: left.length }, "the collector stops, and gives unfinished messages back");
  }

  private async admitted(): Promise<void> {
    const { admit, drainOnStop } = this.options;
    await this.untilStopping(admit);
    if (drainOnStop && !this.stopping.aborted) await this.completeChanges();
    this.heldUp.clear();
  }

  /** A queue that ends with the process does not deliver again what a killed process has stored in part. */
  private async completeChanges(): Promise<void> {
    const { store, workers, log } = this.options;
    try {
      await this.untilStopping(() => store.completeChanges(workers * messagesOfWorker));
    } catch (error) {
      if (this.stopping.aborted) return;
      log.error({ err: error }, "changes of GPUs may be missing that the messages stored last have brought");
    }
  }

  private untilStopping(operation: () => Promise<void>): Promise<void> {
    const { clock } = this.options;
    return retry(operation, { clock, signal: this.stopping, onRetry: (error) => this.heldUp.record(error) });
  }

  /** Handles one message after another. While a message waits for the hot tier, which combines many batches in a flush, the
   *  worker already stores the next message. So a worker has at most two messages. */
  private async work(): Promise<void> {
    let settling = Promise.resolve();
    while (!this.stopping.aborted) {
      try {
        for (const delivery of await this.claimNext()) {
          const stored = Promise.withResolvers<void>();
          const settled = this.handleAndRecordErrors(delivery, stored.resolve);
          await stored.promise;
          await settling;
          settling = settled;
        }
      } catch (error) {
        if (error instanceof QueueClosed) break;
        this.heldUp.record(error);
        await this.options.clock.sleep(1000, this.stopping);
      }
    }
    await settling;
  }

  private async handleAndRecordErrors(delivery: Delivery, onStored: () => void): Promise<void> {
    const trace = new DeliveryTrace(delivery, this.options);
    this.held.set(delivery, trace);
    try {
      await trace.within(() => this.handle({ delivery, trace, onStored }));
    } catch (error) {
      if (!(error instanceof QueueClosed)) this.heldUp.record(error);
    } finally {
      this.held.delete(delivery);
      onStored();
    }
  }

  /** Handles the messages left in the queue, until the queue is empty or the deadline has passed. The claim never waits: the
   *  workers have ended and no other process uses the queue, so a message that `stats` counts as ready is still ready. */
  private async drain(): Promise<void> {
    const { queue } = this.options;
    while (!this.deadline.aborted && (await queue.stats()).readyMessages > 0) {
      for (const delivery of await this.claim(this.deadline)) {
        await this.handleAndRecordErrors(delivery, () => undefined);
      }
    }
  }

  /** While the work is held up, the wait for a message ends early: others may take all messages, and then nothing is held up. */
  private async claimNext(): Promise<Delivery[]> {
    const { queue, clock } = this.options;
    if (this.heldUp.current === undefined) return this.claim(this.stopping);
    const over = new AbortController();
    const cancel = clock.after(heldUpCheckMs, () => over.abort());
    const deliveries = await this.claim(AbortSignal.any([this.stopping, over.signal])).finally(cancel);
    if (deliveries.length === 0 && this.held.size === 0 && (await queue.stats()).readyMessages === 0)
      this.heldUp.clear();
    return deliveries;
  }

  private claim(signal: AbortSignal): Promise<Delivery[]> {
    return this.options.queue.claim({ consumerId: this.options.consumerId, maxMessages: 1, signal });
  }

  private async handle(handled: Handled): Promise<void> {
    const { queue, listener } = this.options;
    const { delivery, trace } = handled;
    let batch: RecordBatch | undefined;
    try {
      batch = await trace.step("decode", () => decodeBatch({ ...delivery.envelope, payload: delivery.payload }));
      await this.store(handled, batch);
    } catch (error) {
      // the message has been given back
      if (this.givenUp.signal.aborted) return;
      if (error instanceof NeedsNewerVersion) return await this.leave(handled, error);
      const failure = error instanceof Error ? error : new Error(String(error));
      listener.refused(batch, failure);
      this.options.log.error(
        { err: failure, message: delivery.envelope.id, attempt: delivery.attempt },
        "message refused",
      );
      await this.retrying(() => queue.reject(delivery, failure.message));
      return trace.end("refused", failure.message);
    }
    if (this.givenUp.signal.aborted) return;
    const stale = await trace.step("acknowledge", () => this.retrying(() => queue.acknowledge([delivery])));
    if (stale.length > 0) listener.acknowledgedTooLate(stale.length);
    trace.end(stale.length > 0 ? "acknowledged too late" : "acknowledged");
    this.heldUp.clear();
  }

  private async leave({ delivery, trace }: Handled, why: NeedsNewerVersion): Promise<void> {
    this.forNewer.record(why.message);
    await this.retrying(() => this.options.queue.reject(delivery, why));
    trace.end("left for a newer version");
    this.watchingLeft ??= this.watchLeft();
  }

  /** Waits until a collector of a newer version has taken every message that was left. */
  private async watchLeft(): Promise<void> {
    const { queue, clock } = this.options;
    let left = 1;
    while (left > 0 && !this.stopping.aborted) {
      await clock.sleep(leftMs, this.stopping);
      left = await queue.stats().then(
        ({ leftMessages }) => leftMessages,
        () => left,
      );
    }
    this.watchingLeft = undefined;
    if (!this.stopping.aborted) this.forNewer.clear();
  }

  private async store({ delivery, trace, onStored }: Handled, batch: RecordBatch): Promise<void> {
    const { envelope } = delivery;
    const { store, hotTier, listener, log } = this.options;
    const message: IngestMessage = {
      messageId: envelope.id,
      idempotencyKey: envelope.idempotencyKey,
      source: envelope.source,
      batch,
    };
    const done = new AbortController();
    const lease = keepLease(this.options, delivery, {
      done: done.signal,
      givenUp: this.givenUp.signal,
      onError: (error) => this.heldUp.record(error),
    });
    try {
      const result = await trace.step("store", () => this.retrying(() => store.ingest(message)), toldOf);
      listener.stored(message, result);
      if (result.failedTogether !== undefined) {
        log.warn(`messages were stored one by one, because storing them together failed: ${result.failedTogether}`);
      }
      onStored();
      // another collector receives the message, and writes to the hot tier
      if (this.givenUp.signal.aborted) return;
      // also for duplicates: the collector that stored the message may have died before it updated the hot tier
      await trace.step("hot tier", (span) =>
        this.retrying(() => hotTier.write(batch, result.contested, span?.traceparent)),
      );
    } finally {
      done.abort();
      await lease;
    }
  }

  private retrying<T>(operation: () => Promise<T>): Promise<T> {
    return retry(operation, {
      clock: this.options.clock,
      signal: this.givenUp.signal,
      onRetry: (error) => {
        this.heldUp.record(error);
        this.options.listener.retried(error as Error);
      },
    });
  }
}
