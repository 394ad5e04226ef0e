import type { IKeyValue } from "etcd3";
import type { Clock } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { prefixRange } from "../../../etcd/requests.ts";
import type { GpuState, HotChanges, HotFollower, NewestRecord } from "../hot-tier.ts";
import { readData, readGpu } from "./hot-documents.ts";
import { hotKeys, kindOfKey } from "./hot-keys.ts";

/** Keys of a page of the listing: at 8 GPUs a host some megabytes. */
const pageKeys = 1000;

/** Follows hierarchy and data by one watch. Deletions say nothing: a GPU whose data has expired is still there, and a
 *  board that was replaced has a history. */
export function watchHotTier(client: EtcdClient, clock: Clock, follower: HotFollower): EtcdWatch {
  const range = prefixRange(hotKeys.clusters);
  let afterGap = false;
  return new EtcdWatch({
    client,
    clock,
    range,
    putsOnly: true,
    list: async () => {
      afterGap = true;
      return listPages(client, (kvs) => tell(follower, kvs));
    },
    onEvents: (events) =>
      tell(
        follower,
        events.map(({ kv }) => kv),
      ),
    onOpened: () => {
      follower.onFollowing(afterGap);
      afterGap = false;
    },
    onInterrupted: (error) => follower.onInterrupted(error),
  });
}

/** @returns the revision that all pages are of */
async function listPages(client: EtcdClient, take: (kvs: readonly IKeyValue[]) => void): Promise<string> {
  const range = prefixRange(hotKeys.clusters);
  let { key } = range;
  let revision: string | undefined;
  for (;;) {
    const { kvs, more, header } = await client.range({ ...range, key, limit: pageKeys, ...(revision && { revision }) });
    revision ??= header.revision;
    take(kvs);
    const last = kvs.at(-1);
    if (!more || last === undefined) return revision;
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

function tell(follower: HotFollower, kvs: readonly Pick<IKeyValue, "key" | "value">[]): void {
  const changes = changesOf(kvs);
  if (changes.gpus.length + changes.records.length > 0) follower.onChanges(changes);
}

function changesOf(kvs: readonly Pick<IKeyValue, "key" | "value">[]): HotChanges {
  const gpus: GpuState[] = [];
  const records: NewestRecord[] = [];
  for (const { key, value } of kvs) {
    const kind = kindOfKey(key.toString());
    const state = kind === "gpus" ? readGpu(value) : undefined;
    if (state !== undefined) gpus.push(state);
    if (kind !== "data") continue;
    const data = readData(value);
    gpus.push(...data.gpus);
    records.push(...data.records);
  }
  return { gpus, records };
}
