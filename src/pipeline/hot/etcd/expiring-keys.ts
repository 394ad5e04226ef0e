import type { Clock } from "../../../kit/clock.ts";
import { stopwatch } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { remove, transactionMaxOperations } from "../../../etcd/requests.ts";

export interface ExpiringKeysOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** The records of a flush stay in etcd at least this long, if they fit in `windowMaxBytes`. */
  readonly windowSeconds: number;
  /** The maximum number of bytes of this process's records in etcd: if there are more, the oldest records are deleted early. */
  readonly windowMaxBytes: number;
}

interface Written {
  readonly key: string;
  readonly bytes: number;
  readonly age: () => number;
}

/** A process uses this many leases per window, one after another, so that each lease has few keys: the end of a lease with tens
 *  of thousands of keys would block etcd's writes. */
const leasesInWindow = 4;

/** The keys of a process's records. Keys that are written at about the same time share a lease: etcd deletes the keys when the
 *  lease ends, after the window. `trim` limits keys and records to `windowMaxBytes`. */
export class ExpiringKeys {
  private lease: { readonly id: string; readonly age: () => number } | undefined;
  /** Oldest first; the elements before `oldestIndex` have expired or been deleted. */
  private written: Written[] = [];
  private oldestIndex = 0;
  private bytes = 0;
  private count = 0;
  /** Distinguishes the keys of two processes that write records of one host in the same millisecond. */
  private readonly processTag = crypto.randomUUID().slice(0, 8);

  constructor(private readonly options: ExpiringKeysOptions) {}

  /** @returns a new key below the host's key, which no process has used before */
  nextKey(host: string): string {
    this.count += 1;
    const at = new Date(this.options.clock.nowMs()).toISOString();
    return `${host}/data/${at}-${this.processTag}-${this.count.toString(36)}`;
  }

  /** @returns the lease for keys that are written now
   *  @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused */
  async leaseId(): Promise<string> {
    const rotateMs = (this.options.windowSeconds * 1000) / leasesInWindow;
    if (this.lease === undefined || this.lease.age() >= rotateMs) {
      const id = await this.options.client.grantLease(this.options.windowSeconds + Math.ceil(rotateMs / 1000));
      this.lease = { id, age: stopwatch() };
    }
    return this.lease.id;
  }

  /** Call this when etcd reports that the lease has ended. */
  dropLease(): void {
    this.lease = undefined;
  }

  recordWrite(key: string, bytes: number): void {
    this.written.push({ key, bytes, age: stopwatch() });
    this.bytes += bytes;
  }

  /** Deletes the oldest keys until the others fit in `windowMaxBytes`. */
  async trim(): Promise<void> {
    const { client, windowSeconds, windowMaxBytes } = this.options;
    const expiresMs = windowSeconds * 1000 * (1 + 1 / leasesInWindow);
    const excess: string[] = [];
    for (;;) {
      const oldest = this.written[this.oldestIndex];
      if (oldest === undefined) break;
      const hasExpired = oldest.age() > expiresMs;
      if (!hasExpired && this.bytes <= windowMaxBytes) break;
      if (!hasExpired) excess.push(oldest.key);
      this.bytes -= oldest.bytes;
      this.oldestIndex += 1;
    }
    if (this.oldestIndex > this.written.length / 2) {
      this.written = this.written.slice(this.oldestIndex);
      this.oldestIndex = 0;
    }
    for (let from = 0; from < excess.length; from += transactionMaxOperations) {
      await client.txn({ success: excess.slice(from, from + transactionMaxOperations).map(remove) });
    }
  }
}
