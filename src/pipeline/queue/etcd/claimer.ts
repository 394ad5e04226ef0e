import type { IResponseOp } from "etcd3";
import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import { LeaseGone } from "../../../domain/errors.ts";
import type { EtcdClient, TxnResult } from "../../../etcd/etcd-client.ts";
import { exists, get, getKey, isAbsent, nested, put, wasWrittenLessThan } from "../../../etcd/requests.ts";
import type { Delivery } from "../queue.ts";
import { ConsumerSession } from "./consumer-session.ts";
import { readEnvelope, unreadableEnvelope } from "./envelope.ts";
import type { QueueKeys } from "./queue-keys.ts";

export interface ClaimerOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: QueueKeys;
  readonly leaseSeconds: number;
  readonly maxAttempts: number;
  readonly log: Logger;
  /** A message was found that nobody acknowledged in its last delivery. */
  readonly onExhausted: (id: string, attempts: number) => Promise<void>;
}

/** What came of trying to claim some messages. */
export interface ClaimOutcome {
  readonly deliveries: readonly Delivery[];
  /** Messages that another consumer had claimed meanwhile. */
  readonly conflicts: number;
}

/** Claims messages, each fenced for itself: it is there, nobody has it, and it was not given up. */
export class Claimer {
  private session: ConsumerSession | undefined;
  private readonly sessions = new Map<string, ConsumerSession>();

  constructor(private readonly options: ClaimerOptions) {}

  /** @throws EtcdUnavailable (what was claimed all the same is freed), EtcdOutOfSpace */
  async claim(ids: readonly string[], consumerId: string): Promise<ClaimOutcome> {
    for (;;) {
      const session = await this.openSession();
      try {
        const claiming = ids.map((id) => this.claiming(id, session, consumerId));
        return await this.outcomeOf(ids, await this.options.client.txn({ success: claiming }), session);
      } catch (error) {
        if (!(error instanceof LeaseGone)) {
          await session.retire();
          throw error;
        }
        session.markLost(); // the process stood still for longer than the lease; nothing was claimed
      }
    }
  }

  /** A claim has ended: acknowledged, given back or lost. */
  async release({ claimToken }: Delivery): Promise<void> {
    const session = this.sessions.get(claimToken);
    this.sessions.delete(claimToken);
    await session?.release(claimToken);
  }

  /** Claims could not be ended: they end with the lease, as soon as nothing else is held under it. */
  async retire(): Promise<void> {
    await this.session?.retire();
  }

  /** Frees every claim. */
  async close(): Promise<void> {
    const sessions = new Set(this.sessions.values());
    if (this.session !== undefined) sessions.add(this.session);
    await Promise.all([...sessions].map((session) => session.close()));
  }

  private async openSession(): Promise<ConsumerSession> {
    if (this.session?.isOpen !== true) {
      const { client, clock, leaseSeconds, log } = this.options;
      if (this.session !== undefined) log.warn("the consumer's lease has ended; its messages go to others");
      this.session = await ConsumerSession.open({ client, clock, ttlSeconds: leaseSeconds });
    }
    return this.session;
  }

  private claiming(id: string, session: ConsumerSession, consumerId: string) {
    const { keys, maxAttempts } = this.options;
    const [message, claim, attempts] = [keys.message(id), keys.claim(id), keys.attempt(id)];
    return nested(
      [exists(message), isAbsent(claim), wasWrittenLessThan(attempts, maxAttempts)],
      [
        put(claim, JSON.stringify({ consumer: consumerId }), session.leaseId),
        put(attempts, consumerId),
        getKey(attempts),
        get(message),
        get(keys.payload(id)),
      ],
      [getKey(message), getKey(claim), getKey(attempts)],
    );
  }

  private async outcomeOf(ids: readonly string[], result: TxnResult, session: ConsumerSession): Promise<ClaimOutcome> {
    const deliveries: Delivery[] = [];
    let conflicts = 0;
    for (const [index, id] of ids.entries()) {
      const claiming = result.responses[index]?.response_txn;
      if (claiming === undefined) continue;
      if (claiming.succeeded) {
        deliveries.push(deliveryOf(claiming.responses, result.revision, id));
        const token = tokenOf(id, result.revision);
        this.sessions.set(token, session);
        session.hold(token);
        continue;
      }
      const [message, claim, attempts] = claiming.responses.map(({ response_range }) => response_range.kvs[0]);
      if (claim !== undefined) conflicts += 1;
      else if (message !== undefined) await this.options.onExhausted(id, Number(attempts?.version));
    }
    return { deliveries, conflicts };
  }
}

/** A claim is known by its message and the revision it was made at. */
function tokenOf(id: string, revision: string): string {
  return `${id}@${revision}`;
}

/** The revision that a delivery's claim was made at. */
export function claimRevision({ claimToken }: Delivery): string {
  return claimToken.slice(claimToken.indexOf("@") + 1);
}

function deliveryOf(responses: readonly IResponseOp[], revision: string, id: string): Delivery {
  const [, , attempts, message, payload] = responses.map((response) => response.response_range?.kvs[0]);
  return {
    envelope: readEnvelope(message?.value ?? Buffer.alloc(0)) ?? unreadableEnvelope(id),
    payload: payload?.value ?? new Uint8Array(),
    attempt: Number(attempts?.version),
    claimToken: tokenOf(id, revision),
  };
}
