import type { ICompare, IRequestOp, ITxnResponse } from "etcd3";
import { monotonicFactory } from "ulid";
import type { Clock } from "../../../kit/clock.ts";
import { stopwatch } from "../../../kit/clock.ts";
import { defined } from "../../../kit/defined.ts";
import { LeaseGone, RangeLost } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { countPrefix, get, isAbsent, nested, put, putAgain, wasCreatedAt } from "../../../etcd/requests.ts";
import type {
  Checkpoint,
  MessageClaim,
  MessageEnvelope,
  NewMessage,
  Published,
  PublishOptions,
  Receipt,
} from "../queue.ts";
import { envelopeText } from "./envelope.ts";
import { type ClaimedMessage, type GroupedMessage, groupsOf, writtenFor } from "./publish-groups.ts";
import type { QueueKeys } from "./queue-keys.ts";

export interface PublisherOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: QueueKeys;
  readonly topic: string;
}

/** A published idempotency key is remembered for at least this time; later, only the store recognises duplicates. */
const windowSeconds = 600;
/** Idempotency keys published within this time share a lease. The time is short, because the end of a lease with very many
 *  keys blocks etcd's writes. */
const leaseSharedMs = 60_000;
/** Payloads whose messages were not added are deleted after this time. */
const stagedSeconds = 60;

/** Adds messages, each idempotency key once, and updates the checkpoint in the same transaction. Messages that do not fit
 *  into one transaction are added in several transactions, each of which updates the checkpoint. Only those of one batch are added
 *  together: if they do not fit, their payloads are written first, under a lease that deletes them if the publisher dies. The
 *  transaction that adds the messages takes the payloads from the lease. */
export class Publisher {
  private readonly newId = monotonicFactory();
  private window: { readonly leaseId: string; readonly age: () => number } | undefined;

  constructor(private readonly options: PublisherOptions) {}

  /** @throws RangeLost, EtcdUnavailable, EtcdOutOfSpace, EtcdRefused (for example, if a payload is over `payloadMaxBytes`) */
  async publish(
    messages: readonly NewMessage[],
    { checkpoint, claims }: Pick<PublishOptions, "checkpoint" | "claims">,
  ): Promise<Published> {
    const receipts: Receipt[] = [];
    let depth = 0;
    for (const group of groupsOf(messages.map((message, index) => ({ message, claim: claims?.[index] })))) {
      const published = await this.publishGroup(group, checkpoint);
      receipts.push(...published.receipts);
      depth = published.depthMessages;
    }
    return { receipts, depthMessages: depth };
  }

  private async publishGroup(group: readonly GroupedMessage[], checkpoint: Checkpoint | undefined): Promise<Published> {
    try {
      return await this.tryPublish(group, await this.windowLease(), checkpoint);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      this.window = undefined; // the process was suspended for longer than the window
      return this.tryPublish(group, await this.windowLease(), checkpoint);
    }
  }

  private async tryPublish(
    group: readonly GroupedMessage[],
    windowLease: string,
    checkpoint: Checkpoint | undefined,
  ): Promise<Published> {
    const { client, keys, topic, clock } = this.options;
    const createdAtMs = clock.nowMs();
    const envelopes = group.map(({ message }) =>
      envelopeOf(message, { id: this.newId(createdAtMs), topic, createdAtMs }),
    );
    const adding = group.map(({ message: { payload, idempotencyKey }, claim, isStaged }, index) => {
      const envelope = envelopes[index] as MessageEnvelope;
      const payloadKey = keys.payload(envelope.id);
      const key = keys.idempotency(idempotencyKey);
      const addition = nested(
        [isAbsent(key)],
        [
          put(key, envelope.id, windowLease),
          put(keys.message(envelope.id), envelopeText(envelope)),
          isStaged ? putAgain(payloadKey) : put(payloadKey, payload),
          // not for a duplicate: etcd may carry out a publish late, after the next ones of the same source, and would move it back
          ...writtenFor(claim).map(({ key, value }) => put(key, value)),
        ],
        [get(key)],
      );
      return claim === undefined ? addition : underClaim(claim, addition);
    });
    await this.stage(group, envelopes);
    const { compare, update } = this.guardOf(checkpoint, group);
    // etcd ignores nested writes when it checks its quota: without this write, etcd would accept messages when it is full
    const latest = put(keys.latest, (envelopes.at(-1) as MessageEnvelope).id);
    const result = await client.txn({ compare, success: [...adding, ...update, latest, countPrefix(keys.messages)] });
    if (!result.succeeded)
      throw new RangeLost(`${checkpoint?.ownerKey ?? "the range"} no longer belongs to this streamer`);
    const receipts = envelopes.map(({ id }, index) =>
      receiptOf(id, result.responses[index], group[index]?.claim !== undefined),
    );
    return { receipts, depthMessages: Number(result.responses.at(-1)?.response_range.count) };
  }

  private guardOf(
    checkpoint: Checkpoint | undefined,
    group: readonly ClaimedMessage[],
  ): { compare: ICompare[]; update: IRequestOp[] } {
    if (checkpoint === undefined) return { compare: [], update: [] };
    const { key, valueAt, ownerKey, ownerRevision, onlyWithMessages = false } = checkpoint;
    const { message: last } = group.at(-1) as ClaimedMessage;
    const move = put(key, valueAt(last.source.to));
    // etcd compares before it writes the messages of this transaction
    const isNew = isAbsent(this.options.keys.idempotency(last.idempotencyKey));
    const update = onlyWithMessages ? nested([isNew], [move]) : move;
    return { compare: [wasCreatedAt(ownerKey, ownerRevision)], update: [update] };
  }

  /** Writes the payloads that do not fit into the transaction of their messages. */
  private async stage(group: readonly GroupedMessage[], envelopes: readonly MessageEnvelope[]): Promise<void> {
    const { client, keys } = this.options;
    let leaseId: string | undefined;
    for (const [index, { message, isStaged }] of group.entries()) {
      if (!isStaged) continue;
      leaseId ??= await client.grantLease(stagedSeconds);
      const { id } = envelopes[index] as MessageEnvelope;
      await client.txn({ success: [put(keys.payload(id), message.payload, leaseId)] });
    }
  }

  private async windowLease(): Promise<string> {
    if (this.window === undefined || this.window.age() >= leaseSharedMs) {
      const leaseId = await this.options.client.grantLease(windowSeconds + leaseSharedMs / 1000);
      this.window = { leaseId, age: stopwatch() };
    }
    return this.window.leaseId;
  }
}

function envelopeOf(
  message: NewMessage,
  identity: Pick<MessageEnvelope, "id" | "topic" | "createdAtMs">,
): MessageEnvelope {
  const { idempotencyKey, traceId, traceparent, schemaVersion, encoding, count, source } = message;
  return { ...identity, idempotencyKey, traceId, ...defined({ traceparent }), schemaVersion, encoding, count, source };
}

/** Adds the message, or does nothing. */
function underClaim({ ownerKey, ownerRevision }: MessageClaim, addition: IRequestOp): IRequestOp {
  return nested([wasCreatedAt(ownerKey, ownerRevision)], [addition]);
}

function receiptOf(id: string, response: ITxnResponse["responses"][number] | undefined, isClaimed: boolean): Receipt {
  const outer = response?.response_txn;
  if (isClaimed && outer?.succeeded !== true) return { id, duplicate: false, refused: true };
  const adding = isClaimed ? outer?.responses[0]?.response_txn : outer;
  if (adding?.succeeded === true) return { id, duplicate: false, refused: false };
  const publishedAs = adding?.responses[0]?.response_range.kvs[0]?.value.toString();
  return { id: publishedAs ?? id, duplicate: true, refused: false };
}
