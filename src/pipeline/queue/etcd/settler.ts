import type { Logger } from "pino";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { getKey, maxNestedTransactions, nested, remove, wasCreatedAt } from "../../../etcd/requests.ts";
import type { Delivery } from "../queue.ts";
import { claimRevision } from "./claimer.ts";
import type { QueueKeys } from "./queue-keys.ts";

/** Ends claims: deletes or returns a message if and only if the delivery's claim is still valid. */
export class Settler {
  /** Claims whose last acknowledgement failed: etcd may have deleted their messages anyway. */
  private readonly uncertain = new Set<string>();

  constructor(
    private readonly client: EtcdClient,
    private readonly keys: QueueKeys,
    private readonly log: Logger,
  ) {}

  /** Deletes acknowledged messages. @returns the deliveries with a stale claim
   *  @throws EtcdUnavailable (some messages may have been deleted: acknowledge the same deliveries again), EtcdRefused */
  async acknowledge(deliveries: readonly Delivery[]): Promise<Delivery[]> {
    const { keys, uncertain } = this;
    try {
      const refused = await this.eachOwned(deliveries, (id) => [
        remove(keys.message(id)),
        remove(keys.payload(id)),
        remove(keys.claim(id)),
        remove(keys.attempt(id)),
      ]);
      const refusedDeliveries = new Set(refused.map(toDelivery));
      for (const delivery of deliveries) {
        if (!refusedDeliveries.has(delivery)) this.log.debug({ claim: delivery.claimToken }, "acknowledged");
      }
      // if the message is gone and the previous acknowledgement failed, that acknowledgement deleted the message
      const stale = refused.filter(({ delivery, isGone }) => !(isGone && uncertain.has(delivery.claimToken)));
      for (const { claimToken } of deliveries) uncertain.delete(claimToken);
      return stale.map(toDelivery);
    } catch (error) {
      for (const { claimToken } of deliveries) uncertain.add(claimToken);
      throw error;
    }
  }

  /** Makes messages ready again. @returns the deliveries with a stale claim */
  async giveBack(deliveries: readonly Delivery[]): Promise<Delivery[]> {
    for (const { claimToken } of deliveries) this.uncertain.delete(claimToken);
    return (await this.eachOwned(deliveries, (id) => [remove(this.keys.claim(id))])).map(toDelivery);
  }

  /** Makes a message ready again, as if it had never been delivered. */
  async giveBackUncounted(delivery: Delivery): Promise<void> {
    this.uncertain.delete(delivery.claimToken);
    await this.eachOwned([delivery], (id) => [remove(this.keys.claim(id)), remove(this.keys.attempt(id))]);
  }

  /** Call this when a message has ended otherwise. */
  forget({ claimToken }: Delivery): void {
    this.uncertain.delete(claimToken);
  }

  /** @returns the deliveries with a stale claim */
  async staleOf(deliveries: readonly Delivery[]): Promise<Delivery[]> {
    return (await this.eachOwned(deliveries, (id) => [getKey(this.keys.claim(id))])).map(toDelivery);
  }

  /** Executes the operations for each message whose claim is still valid. @returns the other deliveries */
  private async eachOwned(
    deliveries: readonly Delivery[],
    operations: (id: string) => ReturnType<typeof remove>[],
  ): Promise<StaleDelivery[]> {
    const stale: StaleDelivery[] = [];
    for (let from = 0; from < deliveries.length; from += maxNestedTransactions) {
      const group = deliveries.slice(from, from + maxNestedTransactions);
      const success = group.map((delivery) => {
        const { id } = delivery.envelope;
        const isOwned = wasCreatedAt(this.keys.claim(id), claimRevision(delivery));
        return nested([isOwned], operations(id), [getKey(this.keys.message(id))]);
      });
      const { responses } = await this.client.txn({ success });
      for (const [index, delivery] of group.entries()) {
        const settled = responses[index]?.response_txn;
        if (settled?.succeeded === true) continue;
        stale.push({ delivery, isGone: settled?.responses[0]?.response_range.kvs.length === 0 });
      }
    }
    return stale;
  }
}

/** A delivery whose claim is no longer valid, and whether its message was deleted. */
interface StaleDelivery {
  readonly delivery: Delivery;
  readonly isGone: boolean;
}

function toDelivery({ delivery }: StaleDelivery): Delivery {
  return delivery;
}
