import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import {
  countPrefix,
  exists,
  get,
  isAbsent,
  isUnchangedSince,
  prefixRange,
  put,
  remove,
  wasCreatedAt,
} from "../../../etcd/requests.ts";
import type { DeadLetter, DeadLetterLimit, DeadLetters, Delivery } from "../queue.ts";
import { claimRevision } from "./claimer.ts";
import { deadLetterText, envelopeText, readDeadLetter, readEnvelope, unreadableEnvelope } from "./envelope.ts";
import { idOf, type QueueKeys } from "./queue-keys.ts";

export interface EtcdDeadLettersOptions extends Required<DeadLetterLimit> {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: QueueKeys;
  readonly log: Logger;
}

/** The letters that are read at a time to be deleted. */
const surplusAtATime = 100;

/** The dead letters in etcd: the letter records the error; the payload stays under its own key. */
export class EtcdDeadLetters implements DeadLetters {
  constructor(private readonly options: EtcdDeadLettersOptions) {}

  /** CLAIMED -> DEAD. @returns false if the claim is stale */
  async addClaimed(delivery: Delivery, error: string): Promise<boolean> {
    const { envelope, attempt } = delivery;
    const claim = this.options.keys.claim(envelope.id);
    const letter = { envelope, attempts: attempt, lastError: error, deadAtMs: this.options.clock.nowMs() };
    const isMoved = await this.moveToDead(letter, wasCreatedAt(claim, claimRevision(delivery)));
    await this.deleteSurplus();
    return isMoved;
  }

  /** READY -> DEAD, for a message whose last allowed delivery was not acknowledged before its lease ended. */
  async addExhausted(id: string, attempts: number, error: string): Promise<void> {
    const { client, keys, clock } = this.options;
    const { kvs } = await client.range({ key: Buffer.from(keys.message(id)) });
    const message = kvs[0];
    if (message === undefined) return;
    const envelope = readEnvelope(message.value) ?? unreadableEnvelope(id);
    await this.moveToDead({ envelope, attempts, lastError: error, deadAtMs: clock.nowMs() }, isAbsent(keys.claim(id)));
    await this.deleteSurplus();
  }

  async list(limit: number, afterId?: string): Promise<DeadLetter[]> {
    const { client, keys } = this.options;
    const { key, range_end } = prefixRange(keys.dead);
    // the smallest key after that of `afterId`
    const from = afterId === undefined ? key : Buffer.from(`${keys.deadLetter(afterId)}\0`);
    const { kvs } = await client.range({ key: from, range_end, limit });
    return kvs.map((dead) => readDeadLetter(idOf(dead.key), dead.value));
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    const { client, keys } = this.options;
    const { kvs } = await client.range({ key: Buffer.from(keys.deadLetter(id)) });
    return kvs[0] === undefined ? undefined : readDeadLetter(id, kvs[0].value);
  }

  async redrive(id: string): Promise<boolean> {
    const { client, keys } = this.options;
    const key = keys.deadLetter(id);
    const { kvs } = await client.range({ key: Buffer.from(key) });
    const dead = kvs[0];
    if (dead === undefined) return false;
    const { succeeded } = await client.txn({
      compare: [isUnchangedSince(key, dead.mod_revision)],
      success: [remove(key), put(keys.message(id), envelopeText(readDeadLetter(id, dead.value).envelope))],
    });
    return succeeded;
  }

  async delete(id: string): Promise<boolean> {
    const { client, keys } = this.options;
    const key = keys.deadLetter(id);
    const { responses } = await client.txn({ success: [get(key)] });
    const dead = responses[0]?.response_range.kvs[0];
    if (dead === undefined) return false;
    const { succeeded } = await client.txn({
      compare: [isUnchangedSince(key, dead.mod_revision)],
      success: [remove(key), remove(keys.payload(id))],
    });
    return succeeded;
  }

  /** DEAD -> deleted, for the oldest of too many. Several processes may do it at a time: each letter is lost once. If it fails, the next
   *  dead letter does it. */
  private async deleteSurplus(): Promise<void> {
    const { client, keys, maxDeadLetters, onLost, log } = this.options;
    try {
      for (;;) {
        const { responses } = await client.txn({ success: [countPrefix(keys.dead)] });
        const surplus = Number(responses[0]?.response_range.count ?? 0) - maxDeadLetters;
        if (surplus <= 0) return;
        for (const letter of await this.list(Math.min(surplus, surplusAtATime))) {
          if (await this.delete(letter.envelope.id)) onLost(letter);
        }
      }
    } catch (error) {
      log.warn(
        { err: error },
        "there are more dead letters than QUEUE_MAX_DEAD_LETTERS, and the oldest could not be deleted",
      );
    }
  }

  private async moveToDead(letter: DeadLetter, condition: ReturnType<typeof isAbsent>): Promise<boolean> {
    const { client, keys } = this.options;
    const { id } = letter.envelope;
    const { succeeded } = await client.txn({
      compare: [exists(keys.message(id)), condition],
      success: [
        put(keys.deadLetter(id), deadLetterText(letter)),
        remove(keys.message(id)),
        remove(keys.claim(id)),
        remove(keys.attempt(id)),
      ],
    });
    return succeeded;
  }
}
