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
import type { Checkpoint, MessageEnvelope, NewMessage, Published } from "../queue.ts";
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

type Receipt = Published["receipts"][number];

/** Adds messages, each idempotency key once, and updates the checkpoint in the same transaction. Messages that do not fit
 *  into one transaction are added in several transactions, each of which updates the checkpoint. */
export class Publisher {
  private readonly newId = monotonicFactory();
  private window: { readonly leaseId: string; readonly age: () => number } | undefined;

  constructor(private readonly options: PublisherOptions) {}

  /** @throws RangeLost, EtcdUnavailable, EtcdOutOfSpace, EtcdRefused (for example, if a payload is over `payloadMaxBytes`) */
  async publish(messages: readonly NewMessage[], checkpoint: Checkpoint | undefined): Promise<Published> {
    const receipts: Receipt[] = [];
    let depth = 0;
    for (const group of groupsOf(messages)) {
      const published = await this.publishGroup(group, checkpoint);
      receipts.push(...published.receipts);
      depth = published.depthMessages;
    }
    return { receipts, depthMessages: depth };
  }

  private async publishGroup(group: readonly NewMessage[], checkpoint: Checkpoint | undefined): Promise<Published> {
    try {
      return await this.tryPublish(group, await this.windowLease(), checkpoint);
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      this.window = undefined; // the process was suspended for longer than the window
      return this.tryPublish(group, await this.windowLease(), checkpoint);
    }
  }

  private async tryPublish(
    group: readonly NewMessage[],
    windowLease: string,
    checkpoint: Checkpoint | undefined,
  ): Promise<Published> {
    const { client, keys, topic, clock } = this.options;
    const createdAtMs = clock.nowMs();
    const envelopes = group.map((message) => envelopeOf(message, { id: this.newId(createdAtMs), topic, createdAtMs }));
    const adding = group.map(({ payload, idempotencyKey }, index) => {
      const envelope = envelopes[index] as MessageEnvelope;
      const key = keys.idempotency(idempotencyKey);
      return nested(
        [isAbsent(key)],
        [
          put(key, envelope.id, windowLease),
          put(keys.message(envelope.id), envelopeText(envelope)),
          put(keys.payload(envelope.id), payload),
        ],
        [get(key)],
      );
    });
    const { compare, update } = guardOf(checkpoint, group);
    // etcd ignores nested writes when it checks its quota: without this write, etcd would accept messages when it is full
    const latest = put(keys.latest, (envelopes.at(-1) as MessageEnvelope).id);
    const result = await client.txn({ compare, success: [...adding, ...update, latest, countPrefix(keys.messages)] });
    if (!result.succeeded)
      throw new RangeLost(`${checkpoint?.ownerKey ?? "the range"} no longer belongs to this streamer`);
    const receipts = envelopes.map(({ id }, index) => receiptOf(id, result.responses[index]));
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
  group: readonly NewMessage[],
): { compare: ICompare[]; update: IRequestOp[] } {
  if (checkpoint === undefined) return { compare: [], update: [] };
  const { key, valueAt, ownerKey, ownerRevision } = checkpoint;
  const last = group.at(-1) as NewMessage;
  return { compare: [wasCreatedAt(ownerKey, ownerRevision)], update: [put(key, valueAt(last.source.to))] };
}

function envelopeOf(
  message: NewMessage,
  identity: Pick<MessageEnvelope, "id" | "topic" | "createdAtMs">,
): MessageEnvelope {
  const { idempotencyKey, traceId, schemaVersion, encoding, count, source } = message;
  return { ...identity, idempotencyKey, traceId, schemaVersion, encoding, count, source };
}

function receiptOf(id: string, response: ITxnResponse["responses"][number] | undefined): Receipt {
  const adding = response?.response_txn;
  if (adding?.succeeded === true) return { id, duplicate: false };
  const publishedAs = adding?.responses[0]?.response_range.kvs[0]?.value.toString();
  return { id: publishedAs ?? id, duplicate: true };
}

/** Cuts messages into groups that each fit into one transaction. No group has an idempotency key twice, because etcd
 *  refuses a transaction that writes a key twice.
 *  @throws EtcdRefused if a payload is too large */
function groupsOf(messages: readonly NewMessage[]): NewMessage[][] {
  const groups: NewMessage[][] = [];
  let group: NewMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = message.payload.length;
    if (size > payloadMaxBytes) {
      throw new EtcdRefused(
        `message ${message.idempotencyKey} has ${size} bytes, but the queue accepts at most ${payloadMaxBytes}; split it`,
      );
    }
    const isFull = bytes + size > transactionMaxBytes || group.length === maxNestedTransactions;
    const isRepeated = group.some(({ idempotencyKey }) => idempotencyKey === message.idempotencyKey);
    if (group.length > 0 && (isFull || isRepeated)) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(message);
    bytes += size;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
