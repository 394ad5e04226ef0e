import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import { NeedsNewerVersion, QueueClosed } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { countPrefix, firstOfPrefix, maxNestedTransactions } from "../../../etcd/requests.ts";
import { Claimer } from "./claimer.ts";
import { WaitingConsumers } from "./waiting-consumers.ts";
import { EtcdDeadLetters } from "./etcd-dead-letters.ts";
import { Publisher } from "./publisher.ts";
import { idOf, idTimeMs, QueueKeys } from "./queue-keys.ts";
import { ReadyIndex } from "./ready-index.ts";
import { CapacityGate } from "./capacity-gate.ts";
import { Settler } from "./settler.ts";
import { GroupCommit } from "../../../kit/group-commit.ts";
import {
  type ClaimOptions,
  type DeadLetterLimit,
  defaultMaxDeadLetters,
  type Delivery,
  type NewMessage,
  type Published,
  type PublishOptions,
  type Queue,
  type QueueStats,
} from "../queue.ts";

export interface EtcdQueueOptions extends DeadLetterLimit {
  readonly client: EtcdClient;
  readonly topic: string;
  readonly clock: Clock;
  /** Publishers wait while at least this many messages are ready or claimed. Concurrent publishers may exceed this number, each
   *  by the messages of one publish. */
  readonly capacityMessages: number;
  /** Time after which the messages of a dead or disconnected consumer are delivered to others. */
  readonly leaseSeconds: number;
  readonly maxAttempts: number;
  readonly log: Logger;
}

/** The queue on etcd, shared by any number of processes. The states are in queue.ts, the keys in
 *  docs/ETCD_MESSAGE_QUEUE.md. A claim is a key under the consumer's lease: etcd deletes the key when the lease ends, about
 *  `leaseSeconds` after the process has died. Every change of a claimed message is a transaction that succeeds only if the
 *  claim still exists. */
export class EtcdQueue implements Queue {
  readonly deadLetters: EtcdDeadLetters;
  private readonly keys: QueueKeys;
  private readonly publisher: Publisher;
  private readonly capacity: CapacityGate;
  private readonly claimer: Claimer;
  private readonly settler: Settler;
  private readonly acknowledging: GroupCommit<Delivery, boolean>;
  /** Created at the first claim: a process that only publishes needs no index of ready messages. */
  private consuming: { readonly index: ReadyIndex; readonly consumers: WaitingConsumers } | undefined;
  private readonly closing = new AbortController();

  constructor(private readonly options: EtcdQueueOptions) {
    const { client, clock, topic, leaseSeconds, log } = options;
    this.keys = new QueueKeys(topic);
    const { keys } = this;
    this.publisher = new Publisher({ client, clock, keys, topic });
    this.capacity = new CapacityGate({ client, clock, keys, capacityMessages: options.capacityMessages });
    this.settler = new Settler(client, keys, log);
    const { maxDeadLetters = defaultMaxDeadLetters, onLost = () => undefined } = options;
    this.deadLetters = new EtcdDeadLetters({ client, clock, keys, log, maxDeadLetters, onLost });
    this.claimer = new Claimer({
      ...options,
      keys,
      onExhausted: (id, attempts) =>
        this.deadLetters.addExhausted(
          id,
          attempts,
          `its last delivery ended without an acknowledgement (lease of ${leaseSeconds} s)`,
        ),
    });
    this.acknowledging = new GroupCommit((deliveries) => this.acknowledgeGroup(deliveries), maxNestedTransactions);
  }

  async publish(messages: readonly NewMessage[], options: PublishOptions): Promise<Published> {
    const { signal, checkpoint, claims } = options;
    const receipts: Published["receipts"][number][] = [];
    let depth = 0;
    for (let from = 0; from < messages.length;) {
      this.refuseWhenClosed();
      const free = await this.capacity.wait(AbortSignal.any([signal, this.closing.signal])).catch((error: unknown) => {
        this.refuseWhenClosed();
        throw error;
      });
      const part = messages.slice(from, from + free);
      const published = await this.publisher.publish(part, { checkpoint, claims: claims?.slice(from, from + free) });
      this.capacity.recordDepth(published.depthMessages);
      receipts.push(...published.receipts);
      depth = published.depthMessages;
      from += part.length;
    }
    return { receipts, depthMessages: depth };
  }

  async claim(options: ClaimOptions): Promise<Delivery[]> {
    this.refuseWhenClosed();
    this.consuming ??= this.startConsuming();
    return this.consuming.consumers.wait(options);
  }

  async acknowledge(deliveries: readonly Delivery[]): Promise<Delivery[]> {
    this.refuseWhenClosed();
    const stale = await Promise.all(deliveries.map((delivery) => this.acknowledging.submit(delivery)));
    return deliveries.filter((_, index) => stale[index]);
  }

  async reject(delivery: Delivery, error: string | NeedsNewerVersion | undefined): Promise<void> {
    this.refuseWhenClosed();
    const isForNewer = error instanceof NeedsNewerVersion;
    // before the message is ready again
    if (isForNewer) this.consuming?.index.leave(delivery.envelope.id);
    if (isForNewer || error === undefined) await this.settler.giveBackUncounted(delivery);
    else if (delivery.attempt >= this.options.maxAttempts) await this.addDeadLetter(delivery, error);
    else await this.settler.giveBack([delivery]);
    await this.claimer.release(delivery);
  }

  /** The lease is renewed in the background: this call only finds the claims that were lost. */
  async extend(deliveries: readonly Delivery[]): Promise<Delivery[]> {
    this.refuseWhenClosed();
    return this.settler.staleOf(deliveries);
  }

  async stats(): Promise<QueueStats> {
    const { client, clock, capacityMessages } = this.options;
    const { messages, claims, dead } = this.keys;
    const { responses } = await client.txn({
      success: [countPrefix(messages), countPrefix(claims), countPrefix(dead), firstOfPrefix(messages)],
    });
    const [total, inFlight, deadCount] = responses.map(({ response_range }) => Number(response_range.count));
    const oldest = responses[3]?.response_range.kvs[0];
    return {
      readyMessages: Math.max(0, (total ?? 0) - (inFlight ?? 0)),
      inFlightMessages: inFlight ?? 0,
      deadMessages: deadCount ?? 0,
      deadCapacityMessages: this.options.maxDeadLetters ?? defaultMaxDeadLetters,
      capacityMessages,
      oldestAgeMs: oldest === undefined ? 0 : Math.max(0, clock.nowMs() - idTimeMs(idOf(oldest.key))),
      leftMessages: this.consuming?.index.leftCount ?? 0,
    };
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    await this.consuming?.consumers.close();
    await this.consuming?.index.close();
    await this.capacity.close();
    await this.claimer.close();
  }

  private async addDeadLetter(delivery: Delivery, error: string): Promise<void> {
    await this.deadLetters.addClaimed(delivery, error);
    this.settler.forget(delivery);
  }

  private startConsuming(): { index: ReadyIndex; consumers: WaitingConsumers } {
    const { client, clock, log } = this.options;
    const index = new ReadyIndex({ client, clock, keys: this.keys, log, onReady: () => consumers.advance() });
    const consumers = new WaitingConsumers(index, this.claimer, async (deliveries) => {
      await this.settler.giveBack(deliveries).catch(() => this.claimer.retire());
      for (const delivery of deliveries) await this.claimer.release(delivery);
    });
    return { index, consumers };
  }

  private async acknowledgeGroup(deliveries: readonly Delivery[]): Promise<boolean[]> {
    const stale = new Set(await this.settler.acknowledge(deliveries));
    for (const delivery of deliveries) await this.claimer.release(delivery);
    return deliveries.map((delivery) => stale.has(delivery));
  }

  private refuseWhenClosed(): void {
    if (this.closing.signal.aborted) throw new QueueClosed("the queue on etcd was closed");
  }
}
