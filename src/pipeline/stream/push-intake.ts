import { createHash } from "node:crypto";
import { emptyTally, type InputTally, type RecordBatch, type RejectedInput } from "../../domain/batch.ts";
import { type FutureRecords, futureRecordsOf } from "../../domain/future-records.ts";
import { pushKey } from "../../domain/push-keys.ts";
import { instantRange } from "../../domain/range.ts";
import type { Clock } from "../../kit/clock.ts";
import { FairTurns, NoTurn, type Turn } from "../../kit/fair-turns.ts";
import { messageOf } from "../../kit/message-of.ts";
import { readTraceparent } from "../../kit/trace-context.ts";
import { inSpan, noTracing, type Span, type Tracing } from "../../kit/tracing.ts";
import type { PipelineListener } from "../observe/pipeline-listener.ts";
import type { Queue } from "../queue/queue.ts";
import { OwnMetrics } from "../source/own-metrics.ts";
import {
  type Push,
  type PushedBody,
  type PushIntake,
  PushRefused,
  type PushResult,
  type ReadPush,
  UnusablePush,
} from "../source/push.ts";
import { messagesOf } from "./batch-messages.ts";
import { endPublished, endUnpublished } from "./publish-span.ts";
import { SlowBodies } from "./slow-bodies.ts";

export interface QueuePushIntakeOptions<Body = PushedBody> {
  readonly readPush: ReadPush<Body>;
  readonly queue: Pick<Queue, "publish" | "stats">;
  readonly messageMaxBytes: number;
  /** So many bytes of slow bodies are kept together, if the reader reads bodies as a whole; otherwise Infinity. */
  readonly slowMaxBytes: number;
  readonly clock: Clock;
  readonly listener: Pick<PipelineListener, "published">;
  /** Absent: no traces are made. */
  readonly tracing?: Tracing;
  /** The name of a push in traces. Absent: push. */
  readonly spanName?: string;
}

/** The messages of a batch wait so long for room in the queue; and, in a queue that is lost with the process, to be stored. */
const takenMaxMs = 20_000;
/** After so long, a sender that found no room tries again. */
const retryAfterSeconds = 5;
/** The most rejected inputs that a result names. */
const rejectedMax = 1000;
/** Each push that is read holds a batch in memory; one client leaves turns to others. A slow sender's push leaves its turn. */
const turns = { atATime: 8, atATimePerClient: 2, maxWaiting: 64, maxWaitingPerClient: 16, maxWaitMs: 10_000 };
/** Each holds a part of a batch, or what `slowMaxBytes` counts. */
const slowBodies = { atATime: 64, atATimePerClient: 16 };

/** A push, and its span if its trace is recorded. */
type TracedPush<Body> = Push<Body> & { readonly span: Span | undefined };

/** Publishes what clients push, a message or more for each batch. A message's key follows from the content of its batch: a push that is
 *  sent again, even after only a part of it had got into the queue, adds what is missing. */
export class QueuePushIntake<Body extends Pick<PushedBody, "bytes"> = PushedBody> implements PushIntake<Body> {
  private readonly turns: FairTurns;
  private readonly slowBodies: SlowBodies;

  constructor(private readonly options: QueuePushIntakeOptions<Body>) {
    this.turns = new FairTurns({ ...turns, clock: options.clock });
    this.slowBodies = new SlowBodies({ ...slowBodies, maxBytes: options.slowMaxBytes, clock: options.clock });
  }

  async take(push: Push<Body>, signal: AbortSignal): Promise<PushResult> {
    const { tracing = noTracing, spanName = "push" } = this.options;
    const attributes = { "telemetry.source": push.sourceId };
    const span = tracing.begin(spanName, { kind: "server", from: push.traceparent, attributes });
    try {
      const result = await inSpan(span, () => this.takeTurn({ ...push, span }, signal));
      const { records, rejectedCount: rejected, problem } = result;
      const counts = { "telemetry.records": records, "telemetry.rejected": rejected };
      span?.end({ attributes: counts, error: problem?.message });
      return result;
    } catch (error) {
      span?.end({ error: messageOf(error) });
      throw error;
    }
  }

  private async takeTurn(push: TracedPush<Body>, signal: AbortSignal): Promise<PushResult> {
    await this.checkRoom();
    try {
      return await this.turns.run(push.client, signal, (turn) => this.publishAll(push, turn, signal));
    } catch (error) {
      if (error instanceof NoTurn)
        throw new PushRefused(`Other pushes are being read: ${error.message}`, error.retryAfterSeconds);
      throw error;
    }
  }

  /** Before anything of the body is read. */
  private async checkRoom(): Promise<void> {
    const { readyMessages, inFlightMessages, capacityMessages } = await this.options.queue.stats();
    if (readyMessages + inFlightMessages >= capacityMessages) throw noRoom("The queue is full");
  }

  private async publishAll(push: TracedPush<Body>, turn: Turn, signal: AbortSignal): Promise<PushResult> {
    const bytes = this.slowBodies.receive(push.body.bytes, push.client, turn);
    const { batches, unread } = this.options.readPush(push.body, bytes, signal);
    const sums = new Sums();
    let problem: UnusablePush | undefined;
    try {
      for await (const batch of batches) await this.publish(push, { batch, sums, signal });
    } catch (error) {
      if (!(error instanceof UnusablePush)) throw error;
      if (sums.messages === 0) throw error;
      problem = error;
    }
    return { ...sums.result(), unread: [...unread].sort(), problem };
  }

  private async publish(
    { sourceId, idempotencyKey, span: pushing, traceparent }: TracedPush<Body>,
    { batch, sums, signal }: { readonly batch: RecordBatch; readonly sums: Sums; readonly signal: AbortSignal },
  ): Promise<void> {
    const { queue, clock, listener, messageMaxBytes } = this.options;
    const source = instantRange(sourceId, clock.nowMs());
    const span = pushing?.begin("publish", { kind: "producer" });
    const { traceId } = readTraceparent(traceparent) ?? {};
    const keyed = { idempotencyKey: "", source, batch, span, traceId };
    const outgoing = messagesOf(keyed, messageMaxBytes).map((each) => {
      const name = contentName([sourceId, idempotencyKey ?? "", sums.batches], each.message.payload);
      const key = pushKey(name, sums.pushId);
      sums.pushId ??= name;
      return { ...each, message: { ...each.message, idempotencyKey: key } };
    });
    const late = AbortSignal.timeout(takenMaxMs);
    try {
      const messages = outgoing.map(({ message }) => message);
      const { receipts } = await queue.publish(messages, {
        signal: AbortSignal.any([signal, late]),
        untilKept: true,
      });
      outgoing.forEach(({ tally }, index) => listener.published(tally, receipts[index]?.duplicate === true));
      endPublished(span, receipts.at(-1));
      sums.add(batch, receipts, clock.nowMs());
    } catch (error) {
      endUnpublished(span, error);
      if (late.aborted && !signal.aborted) throw noRoom(`No message was taken for ${takenMaxMs / 1000} s`);
      throw error;
    }
  }
}

const noRoom = (reason: string): PushRefused => new PushRefused(reason, retryAfterSeconds);

/** The name of a message with this content.
 *  @param names those of the sender and of the push, and the number of the batch in it */
function contentName(names: readonly (string | number)[], payload: Uint8Array): string {
  const hash = createHash("sha256").update(JSON.stringify(names)).update(payload);
  return hash.digest("hex").slice(0, 40);
}

/** What was published so far. */
class Sums {
  messages = 0;
  /** So far. */
  batches = 0;
  /** The name of the first message; undefined before it. */
  pushId: string | undefined;
  private tally = emptyTally;
  private records = 0;
  private duplicateMessages = 0;
  private rejectedCount = 0;
  private readonly rejected: RejectedInput[] = [];
  private readonly ownMetrics = new OwnMetrics();
  private future: FutureRecords | undefined;

  add(batch: RecordBatch, receipts: readonly { readonly duplicate: boolean }[], nowMs: number): void {
    const { tally, recordCount, rejected } = batch;
    const found = futureRecordsOf(batch, nowMs);
    if (found !== undefined)
      this.future = { ...(this.future ?? found), count: (this.future?.count ?? 0) + found.count };
    this.ownMetrics.add(batch);
    this.batches += 1;
    this.messages += receipts.length;
    this.duplicateMessages += receipts.filter(({ duplicate }) => duplicate).length;
    this.records += recordCount;
    this.rejectedCount += rejected.length;
    this.rejected.push(...rejected.slice(0, rejectedMax - this.rejected.length));
    this.tally = sumOf(this.tally, tally);
  }

  result(): Omit<PushResult, "unread" | "problem"> {
    const { pushId, tally, records, messages, duplicateMessages, rejectedCount, rejected, future } = this;
    const ownMetrics = this.ownMetrics.all;
    return { pushId, tally, records, messages, duplicateMessages, rejectedCount, rejected, ownMetrics, future };
  }
}

function sumOf(a: InputTally, b: InputTally): InputTally {
  const names = Object.keys(emptyTally) as (keyof InputTally)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as InputTally;
}
