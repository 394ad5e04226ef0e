import type { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";

/** A key of etcd as a dead process left it. */
export interface LeftKey {
  readonly key: string;
  /** Base64. */
  readonly value: string;
  /** How often the key was written since it was created: the queue counts deliveries by it. */
  readonly version: number;
  /** The lease that the key ends with; undefined if it stays. */
  readonly lease?: string;
}

/** Keys of processes (see `isOfProcess`) end soon; other keys with a lease outlive a test. */
const leaseSeconds = { dead: 3, lasting: 600 };

/** Reads every key. */
export async function readEtcd(client: EtcdClient): Promise<LeftKey[]> {
  const { kvs } = await client.range(prefixRange("/"));
  return kvs.map(({ key, value, version, lease }) => ({
    key: key.toString(),
    value: value.toString("base64"),
    version: Number(version),
    ...(lease === "0" ? {} : { lease }),
  }));
}

/** Writes keys into an empty etcd, each as often as it had been written. Keys that shared a lease share one again. */
export async function restoreEtcd(client: EtcdClient, left: readonly LeftKey[]): Promise<void> {
  const leases = new Map<string, string>();
  for (const [lease, keys] of Map.groupBy(left, (each) => each.lease)) {
    if (lease === undefined) continue;
    leases.set(lease, await client.grantLease(keys.some(isOfProcess) ? leaseSeconds.dead : leaseSeconds.lasting));
  }
  for (const { key, value, version, lease } of left) {
    for (let times = 0; times < version; times += 1) {
      await client.txn({ success: [put(key, Buffer.from(value, "base64"), lease && leases.get(lease))] });
    }
  }
}

/** True for a claim on a message, the owner or planner of a source or range, and the lock of the upkeep. */
export function isOfProcess({ key }: Pick<LeftKey, "key">): boolean {
  return /\/(claims|owners)\/|\/(cutter|live\/owner)$|^\/maintenance\//.test(key);
}
