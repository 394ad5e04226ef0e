import type { Clock } from "../../../kit/clock.ts";
import { stopwatch } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { remove, transactionMaxOperations } from "../../../etcd/requests.ts";

export interface ExpiringKeysOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** How long a flush's records stay in etcd, at least, where there is room. */
  readonly windowSeconds: number;
  /** What this process's records may take in etcd, bytes; beyond it the oldest go before their time. */
  readonly windowMaxBytes: number;
}

interface Written {
  readonly key: string;
  readonly bytes: number;
  readonly age: () => number;
}

/** A window has so many leases one after the other: ending one with tens of thousands of keys holds up etcd's writes. */
const leasesInWindow = 4;

/** The keys under which a process's records are in etcd for a while: each under a lease that those of its time share,
 *  and all together no more than the window may take. */
export class ExpiringKeys {
  private lease: { readonly id: string; readonly age: () => number } | undefined;
  /** Oldest first, from `first` on; what has ended by itself is dropped from its head. */
  private written: Written[] = [];
  private first = 0;
  private bytes = 0;
  private count = 0;
  /** Two processes that write a host at the same millisecond do so under different keys. */
  private readonly processTag = crypto.randomUUID().slice(0, 8);

  constructor(private readonly options: ExpiringKeysOptions) {}

  /** A key below a host's that no process has used. */
  nextKey(host: string): string {
    this.count += 1;
    const at = new Date(this.options.clock.nowMs()).toISOString();
    return `${host}/data/${at}-${this.processTag}-${this.count.toString(36)}`;
  }

  /** @throws EtcdUnavailable, EtcdOutOfSpace */
  async leaseId(): Promise<string> {
    const rotateMs = (this.options.windowSeconds * 1000) / leasesInWindow;
    if (this.lease === undefined || this.lease.age() >= rotateMs) {
      const id = await this.options.client.grantLease(this.options.windowSeconds + Math.ceil(rotateMs / 1000));
      this.lease = { id, age: stopwatch() };
    }
    return this.lease.id;
  }

  /** Says that the lease is gone: the process stood still for longer than the window. */
  dropLease(): void {
    this.lease = undefined;
  }

  note(key: string, bytes: number): void {
    this.written.push({ key, bytes, age: stopwatch() });
    this.bytes += bytes;
  }

  /** Removes what is too much. */
  async trim(): Promise<void> {
    const { client, windowSeconds, windowMaxBytes } = this.options;
    const endsMs = windowSeconds * 1000 * (1 + 1 / leasesInWindow);
    const tooMuch: string[] = [];
    for (;;) {
      const oldest = this.written[this.first];
      if (oldest === undefined) break;
      const hasEnded = oldest.age() > endsMs;
      if (!hasEnded && this.bytes <= windowMaxBytes) break;
      if (!hasEnded) tooMuch.push(oldest.key);
      this.bytes -= oldest.bytes;
      this.first += 1;
    }
    if (this.first > this.written.length / 2) {
      this.written = this.written.slice(this.first);
      this.first = 0;
    }
    for (let from = 0; from < tooMuch.length; from += transactionMaxOperations) {
      await client.txn({ success: tooMuch.slice(from, from + transactionMaxOperations).map(remove) });
    }
  }
}
