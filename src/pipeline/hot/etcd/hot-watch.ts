import type { IKeyValue } from "etcd3";
import type { Clock } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { EtcdWatch } from "../../../etcd/etcd-watch.ts";
import { prefixRange } from "../../../etcd/requests.ts";
import type { GpuState, HotChanges, HotFollower, NewestRecord } from "../hot-tier.ts";
import { readData, readGpu } from "./hot-documents.ts";
import { type HotKeys, hostOfKey, kindOfKey } from "./hot-keys.ts";

/** The maximum number of keys in a page of the listing. With 8 GPUs per host, a page is a few megabytes. */
const pageKeys = 1000;

export interface HotWatchOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: HotKeys;
}

/** Follows hierarchy and data with one watch. Deletions are ignored: a GPU whose data has expired still exists, and a
 *  board that was replaced keeps its history. */
export function watchHotTier({ client, clock, keys }: HotWatchOptions, follower: HotFollower): EtcdWatch {
  const range = prefixRange(keys.clusters);
  let afterGap = false;
  return new EtcdWatch({
    client,
    clock,
    range,
    putsOnly: true,
    list: async () => {
      afterGap = true;
      return listPages(client, keys, (kvs) => notify(follower, kvs));
    },
    onEvents: (events) =>
      notify(
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

/** @returns the revision at which all pages were read */
async function listPages(
  client: EtcdClient,
  keys: HotKeys,
  onPage: (kvs: readonly IKeyValue[]) => void,
): Promise<string> {
  const range = prefixRange(keys.clusters);
  let { key } = range;
  let revision: string | undefined;
  for (;;) {
    const { kvs, more, header } = await client.range({ ...range, key, limit: pageKeys, ...(revision && { revision }) });
    revision ??= header.revision;
    onPage(kvs);
    const last = kvs.at(-1);
    if (!more || last === undefined) return revision;
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

function notify(follower: HotFollower, kvs: readonly Pick<IKeyValue, "key" | "value">[]): void {
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
    const data = readData(value, hostOfKey(key.toString()));
    gpus.push(...data.gpus);
    records.push(...data.records.map(({ record }) => record));
  }
  return { gpus, records };
}
