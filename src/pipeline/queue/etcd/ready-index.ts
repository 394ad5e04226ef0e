import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { type EtcdEvent, EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { idOf, type QueueKeys } from "./queue-keys.ts";

export interface ReadyIndexOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: QueueKeys;
  readonly log: Logger;
  /** Called when events raise the number of ready messages, and after each listing that finds a ready message. */
  readonly onReady: () => void;
}

/** The queue is listed again after this time, to find messages whose events were lost. */
const resyncMs = 30_000;

/** The unclaimed messages, kept up to date by one watch, so that a claim needs no search. The index is only a hint: the
 *  claim's transaction decides whether a message can be claimed. */
export class ReadyIndex {
  private messages = new Set<string>();
  private claimed = new Set<string>();
  /** Messages that are ready and not picked: those of the last listing, oldest first, then those that were added later. */
  private fresh = new Set<string>();
  /** Messages that became ready again after the last listing, because their claim ended or they were put back; in the order
   *  of their return. */
  private returned = new Set<string>();
  /** Messages that are for consumers of a newer version. */
  private left = new Set<string>();
  private readonly watch: EtcdWatch;

  constructor(private readonly options: ReadyIndexOptions) {
    const { client, clock, keys, log } = options;
    this.watch = new EtcdWatch({
      client,
      clock,
      range: keys.watched,
      list: () => this.list(),
      onEvents: (events) => this.apply(events),
      onInterrupted: (error) => log.warn({ err: error }, "the watch of the queue was interrupted"),
      resyncMs,
    });
  }

  get readyCount(): number {
    return this.fresh.size + this.returned.size;
  }

  /** The number of unclaimed messages that are for consumers of a newer version. */
  get leftCount(): number {
    return this.left.difference(this.claimed).size;
  }

  /** Call this for a message that is for consumers of a newer version: it is not picked again. */
  leave(id: string): void {
    this.left.add(id);
    this.drop(id);
  }

  /** Picks up to `maxIds` ids after skipping `skip` ids, returned ids before fresh ones. An id is not picked again
   *  until an event or a new listing reports that its message is unclaimed, or until it is put back. */
  pick(maxIds: number, skip: number): string[] {
    const ids: string[] = [];
    for (const set of [this.returned, this.fresh]) {
      for (const id of set) {
        if (ids.length === maxIds) break;
        if (skip > 0) skip -= 1;
        else ids.push(id);
      }
    }
    for (const id of ids) this.drop(id);
    return ids;
  }

  /** Makes picked ids ready again, except those whose message is claimed or deleted. */
  putBack(ids: readonly string[]): void {
    for (const id of ids) if (this.isReady(id)) this.returned.add(id);
  }

  close(): Promise<void> {
    return this.watch.close();
  }

  private async list(): Promise<string> {
    const { client, keys, onReady } = this.options;
    const { kvs, header } = await client.range({ ...keys.watched, keys_only: true });
    const ids = (prefix: string): string[] =>
      kvs.filter(({ key }) => key.toString("latin1").startsWith(prefix)).map(({ key }) => idOf(key));
    this.messages = new Set(ids(keys.messages));
    this.claimed = new Set(ids(keys.claims));
    this.returned = new Set();
    this.left = this.left.intersection(this.messages);
    this.fresh = new Set([...this.messages].filter((id) => this.isReady(id)));
    if (this.readyCount > 0) onReady();
    return header.revision;
  }

  private apply(events: readonly EtcdEvent[]): void {
    const { keys, onReady } = this.options;
    const readyBefore = this.readyCount;
    for (const { type, kv } of events) {
      const key = kv.key.toString("latin1");
      if (key.startsWith(keys.messages)) this.messageChanged(type, idOf(kv.key));
      else if (key.startsWith(keys.claims)) this.claimChanged(type, idOf(kv.key));
    }
    if (this.readyCount > readyBefore) onReady();
  }

  private messageChanged(type: EtcdEvent["type"], id: string): void {
    if (type === "Delete") {
      this.messages.delete(id);
      this.left.delete(id);
      this.drop(id);
    } else {
      this.messages.add(id);
      if (this.isReady(id)) this.fresh.add(id);
    }
  }

  private claimChanged(type: EtcdEvent["type"], id: string): void {
    if (type === "Delete") {
      this.claimed.delete(id);
      if (this.isReady(id)) this.returned.add(id);
    } else {
      this.claimed.add(id);
      this.drop(id);
    }
  }

  private isReady(id: string): boolean {
    return this.messages.has(id) && !this.claimed.has(id) && !this.left.has(id);
  }

  private drop(id: string): void {
    this.fresh.delete(id);
    this.returned.delete(id);
  }
}
