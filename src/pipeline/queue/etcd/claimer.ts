import type { IResponseOp } from "etcd3";
import type { Logger } from "pino";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
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
  /** Called for a message whose last allowed delivery was not acknowledged. */
  readonly onExhausted: (id: string, attempts: number) => Promise<void>;
}

/** The result of trying to claim some messages. */
export interface ClaimOutcome {
  readonly deliveries: readonly Delivery[];
  /** The number of messages that were already claimed. */
  readonly conflicts: number;
}

/** Claims messages. A claim succeeds only if the message exists, is unclaimed, and has attempts left. */
export class Claimer {
  private session: ConsumerSession | undefined;
  private readonly sessions = new Map<string, ConsumerSession>();

  constructor(private readonly options: ClaimerOptions) {}

  /** @throws EtcdUnavailable (if etcd made the claims anyway, they end with the session's lease), EtcdOutOfSpace,
   *          EtcdRefused */
  async claim(ids: readonly string[], consumerId: string): Promise<ClaimOutcome> {
    for (;;) {
      const session = await this.openSession();
      try {
        const requests = ids.map((id) => this.requestOf(id, session, consumerId));
        const elapsedMs = stopwatch();
        const result = await this.options.client.txn({ success: requests });
        return await this.outcomeOf(ids, { ...result, claimMs: elapsedMs() }, session);
      } catch (error) {
        if (!(error instanceof LeaseGone)) {
          await session.retire();
          throw error;
        }
        session.markLost(); // the lease has ended, for example while the process was suspended; nothing was claimed
      }
    }
  }

  /** Call this when a claim has ended. */
  async release({ claimToken }: Delivery): Promise<void> {
    const session = this.sessions.get(claimToken);
    this.sessions.delete(claimToken);
    await session?.release(claimToken);
  }

  /** Call this when messages could not be returned to the queue: their claims then end with the session's lease. */
  async retire(): Promise<void> {
    await this.session?.retire();
  }

  /** Releases every claim. */
  async close(): Promise<void> {
    const sessions = new Set(this.sessions.values());
    if (this.session !== undefined) sessions.add(this.session);
    await Promise.all([...sessions].map((session) => session.close()));
  }

  private async openSession(): Promise<ConsumerSession> {
    if (this.session?.isOpen !== true) {
      const { client, clock, keys, leaseSeconds, log } = this.options;
      if (this.session !== undefined)
        log.warn(
          "the consumer's lease has ended or was retired; messages that are not acknowledged are delivered again",
        );
      this.session = await ConsumerSession.open(
        { client, clock, ttlSeconds: leaseSeconds, signs: keys.signs },
        this.session,
      );
    }
    return this.session;
  }

  private requestOf(id: string, session: ConsumerSession, consumerId: string) {
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

  private async outcomeOf(
    ids: readonly string[],
    result: TxnResult & Pick<Delivery, "claimMs">,
    session: ConsumerSession,
  ): Promise<ClaimOutcome> {
    const deliveries: Delivery[] = [];
    let conflicts = 0;
    for (const [index, id] of ids.entries()) {
      const response = result.responses[index]?.response_txn;
      if (response === undefined) continue;
      if (response.succeeded) {
        deliveries.push({ ...deliveryOf(response.responses, result.revision, id), claimMs: result.claimMs });
        const token = tokenOf(id, result.revision);
        this.sessions.set(token, session);
        session.hold(token);
        continue;
      }
      const [message, claim, attempts] = response.responses.map(({ response_range }) => response_range.kvs[0]);
      if (claim !== undefined) conflicts += 1;
      else if (message !== undefined) await this.options.onExhausted(id, Number(attempts?.version));
    }
    return { deliveries, conflicts };
  }
}

/** A claim is identified by its message and the revision at which it was made. */
function tokenOf(id: string, revision: string): string {
  return `${id}@${revision}`;
}

/** @returns the revision at which a delivery's message was claimed */
export function claimRevision({ claimToken }: Delivery): string {
  return claimToken.slice(claimToken.indexOf("@") + 1);
}

function deliveryOf(responses: readonly IResponseOp[], revision: string, id: string): Omit<Delivery, "claimMs"> {
  const [, , attempts, message, payload] = responses.map((response) => response.response_range?.kvs[0]);
  return {
    envelope: readEnvelope(message?.value ?? Buffer.alloc(0)) ?? unreadableEnvelope(id),
    payload: payload?.value ?? new Uint8Array(),
    attempt: Number(attempts?.version),
    claimToken: tokenOf(id, revision),
  };
}
