import type { Clock } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { prefixRange } from "../../../etcd/requests.ts";
import type { QueueKeys } from "./queue-keys.ts";

export interface CapacityGateOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: QueueKeys;
  readonly capacityMessages: number;
}

/** While publishers wait, messages are counted again after this time, in case an event was lost. */
const recountMs = 2000;

/** Limits the depth of the queue: its number of messages. The gate learns the depth from the response to each publish, and
 *  counts the messages only before the first publish and when the queue seems full. While the queue is full, a watch notifies
 *  the gate when messages are deleted. */
export class CapacityGate {
  /** Messages in the queue as of the last publish or count; undefined before the first. */
  private depth: number | undefined;
  private watch: EtcdWatch | undefined;
  private wakers: (() => void)[] = [];

  constructor(private readonly options: CapacityGateOptions) {}

  recordDepth(depth: number): void {
    this.depth = depth;
  }

  /** @returns the number of messages that may be published now, at least one
   *  @throws the signal's reason when the signal aborts, or the error of a failed count */
  async wait(signal: AbortSignal): Promise<number> {
    const { capacityMessages } = this.options;
    for (;;) {
      signal.throwIfAborted();
      this.depth ??= await this.count();
      if (this.depth < capacityMessages) return capacityMessages - this.depth;
      const removed = this.nextRemoval(signal);
      this.depth = await this.count();
      if (this.depth >= capacityMessages) await removed;
    }
  }

  async close(): Promise<void> {
    this.wake();
    await this.watch?.close();
  }

  private async count(): Promise<number> {
    const { client, keys } = this.options;
    const { count } = await client.range({ ...prefixRange(keys.messages), count_only: true });
    return Number(count);
  }

  /** Resolves when a message may have been removed, after `recountMs`, or when the signal aborts. */
  private async nextRemoval(signal: AbortSignal): Promise<void> {
    this.watch ??= this.watchRemovals();
    const woken = new AbortController();
    this.wakers.push(() => woken.abort());
    await this.options.clock.sleep(recountMs, AbortSignal.any([signal, woken.signal]));
  }

  private watchRemovals(): EtcdWatch {
    const { client, clock, keys } = this.options;
    return new EtcdWatch({
      client,
      clock,
      range: prefixRange(keys.messages),
      deletionsOnly: true,
      list: async () => {
        this.wake();
        return (await client.range({ ...prefixRange(keys.messages), count_only: true })).header.revision;
      },
      onEvents: () => this.wake(),
      onInterrupted: () => this.wake(),
    });
  }

  private wake(): void {
    for (const wake of this.wakers.splice(0)) wake();
  }
}
