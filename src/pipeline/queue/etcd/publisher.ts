import type { ICompare, IRequestOp, ITxnResponse } from "etcd3";
import { monotonicFactory } from "ulid";
import type { Clock } from "../../../kit/clock.ts";
import { stopwatch } from "../../../kit/clock.ts";
import { EtcdRefused, LeaseGone, RangeLost } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import {
  countPrefix,
  get,
  isAbsent,
  maxNestedTransactions,
  nested,
  put,
  wasCreatedAt,
} from "../../../etcd/requests.ts";
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
import type { QueueKeys } from "./queue-keys.ts";

export interface PublisherOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: QueueKeys;
  readonly topic: string;
}

/** The greatest size of a payload, in bytes: etcd refuses requests over 1.5 MiB, and the envelope needs space, too. */
export const payloadMaxBytes = 1024 * 1024;
/** The greatest total size of a transaction's payloads. A transaction waits until the previous one is written to disk, so a
 *  larger transaction would delay the next one. */
const transactionMaxBytes = payloadMaxBytes;
/** A published idempotency key is remembered for at least this time; later, only the store recognises duplicates. */
const windowSeconds = 600;
/** Idempotency keys published within this time share a lease. The time is short, because the end of a lease with very many
 *  keys blocks etcd's writes. */
const leaseSharedMs = 60_000;

/** A message, and the claim that it is published under if it has its own. */
interface ClaimedMessage {
  readonly message: NewMessage;
  readonly claim: MessageClaim | undefined;
}

/** Adds messages, each idempotency key once, and updates the checkpoint in the same transaction. Messages that do not fit
 *  into one transaction are added in several transactions, each of which updates the checkpoint. */
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

  private async publishGroup(group: readonly ClaimedMessage[], checkpoint: Checkpoint | undefined): Promise<Published> {
    try {
      return await this.tryPublish(group, await this.windowLease(), checkpoint);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      this.window = undefined; // the process was suspended for longer than the window
      return this.tryPublish(group, await this.windowLease(), checkpoint);
    }
  }

  private async tryPublish(
    group: readonly ClaimedMessage[],
    windowLease: string,
    checkpoint: Checkpoint | undefined,
  ): Promise<Published> {
    const { client, keys, topic, clock } = this.options;
    const createdAtMs = clock.nowMs();
    const envelopes = group.map(({ message }) =>
      envelopeOf(message, { id: this.newId(createdAtMs), topic, createdAtMs }),
    );
    const adding = group.map(({ message: { payload, idempotencyKey }, claim }, index) => {
      const envelope = envelopes[index] as MessageEnvelope;
      const key = keys.idempotency(idempotencyKey);
      const addition = nested(
        [isAbsent(key)],
        [
          put(key, envelope.id, windowLease),
          put(keys.message(envelope.id), envelopeText(envelope)),
          put(keys.payload(envelope.id), payload),
        ],
        [get(key)],
      );
      return claim === undefined ? addition : underClaim(claim, addition);
    });
    const { compare, update } = guardOf(checkpoint, group);
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

  private async windowLease(): Promise<string> {
    if (this.window === undefined || this.window.age() >= leaseSharedMs) {
      const leaseId = await this.options.client.grantLease(windowSeconds + leaseSharedMs / 1000);
      this.window = { leaseId, age: stopwatch() };
    }
    return this.window.leaseId;
  }
}

function guardOf(
  checkpoint: Checkpoint | undefined,
  group: readonly ClaimedMessage[],
): { compare: ICompare[]; update: IRequestOp[] } {
  if (checkpoint === undefined) return { compare: [], update: [] };
  const { key, valueAt, ownerKey, ownerRevision } = checkpoint;
  const { message: last } = group.at(-1) as ClaimedMessage;
  return { compare: [wasCreatedAt(ownerKey, ownerRevision)], update: [put(key, valueAt(last.source.to))] };
}

function envelopeOf(
  message: NewMessage,
  identity: Pick<MessageEnvelope, "id" | "topic" | "createdAtMs">,
): MessageEnvelope {
  const { idempotencyKey, traceId, schemaVersion, encoding, count, source } = message;
  return { ...identity, idempotencyKey, traceId, schemaVersion, encoding, count, source };
}

/** Adds the message and moves its position, or does nothing. */
function underClaim({ ownerKey, ownerRevision, position }: MessageClaim, addition: IRequestOp): IRequestOp {
  const moving = position === undefined ? [] : [put(position.key, position.value)];
  return nested([wasCreatedAt(ownerKey, ownerRevision)], [addition, ...moving]);
}

function receiptOf(id: string, response: ITxnResponse["responses"][number] | undefined, isClaimed: boolean): Receipt {
  const outer = response?.response_txn;
  if (isClaimed && outer?.succeeded !== true) return { id, duplicate: false, refused: true };
  const adding = isClaimed ? outer?.responses[0]?.response_txn : outer;
  if (adding?.succeeded === true) return { id, duplicate: false, refused: false };
  const publishedAs = adding?.responses[0]?.response_range.kvs[0]?.value.toString();
  return { id: publishedAs ?? id, duplicate: true, refused: false };
}

/** Cuts messages into groups that each fit into one transaction. No group writes a key twice, because etcd refuses that.
 *  @throws EtcdRefused if a payload is too large */
function groupsOf(messages: readonly ClaimedMessage[]): ClaimedMessage[][] {
  const groups: ClaimedMessage[][] = [];
  let group: ClaimedMessage[] = [];
  let written = new Set<string>();
  let bytes = 0;
  for (const claimed of messages) {
    const { message, claim } = claimed;
    const size = message.payload.length;
    if (size > payloadMaxBytes) {
      throw new EtcdRefused(
        `message ${message.idempotencyKey} has ${size} bytes, but the queue accepts at most ${payloadMaxBytes}; split it`,
      );
    }
    const isFull = bytes + size > transactionMaxBytes || group.length === maxNestedTransactions;
    // a position whose key is equal to an idempotency key only ends a group early
    const writing = [message.idempotencyKey, ...(claim?.position === undefined ? [] : [claim.position.key])];
    if (group.length > 0 && (isFull || writing.some((key) => written.has(key)))) {
      groups.push(group);
      group = [];
      written = new Set();
      bytes = 0;
    }
    group.push(claimed);
    for (const key of writing) written.add(key);
    bytes += size;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
