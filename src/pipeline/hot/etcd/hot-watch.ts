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

type Document = Pick<IKeyValue, "key" | "value" | "mod_revision">;

/** Follows hierarchy and data with one watch. Deletions are ignored: a GPU whose data has expired still exists, and a
 *  board that was replaced keeps its history.
 *
 *  The follower gets each transaction on its own, because it would merge two records of a GPU in one call. etcd sends several
 *  transactions together to a process that is slow, and a listing after a gap has the transactions of the gap whose data are still
 *  there. Only the first listing comes in pages: there is no earlier state to compare with, so the newest one is enough. */
export function watchHotTier({ client, clock, keys }: HotWatchOptions, follower: HotFollower): EtcdWatch {
  const range = prefixRange(keys.clusters);
  let afterGap = false;
  let notifyPage = notify;
  return new EtcdWatch({
    client,
    clock,
    range,
    putsOnly: true,
    list: async () => {
      afterGap = true;
      const revision = await listPages(client, keys, (kvs) => notifyPage(follower, kvs));
      notifyPage = notifyInOrder;
      return revision;
    },
    onEvents: (events) =>
      notifyInOrder(
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

/** One call for each transaction, in their order. */
function notifyInOrder(follower: HotFollower, kvs: readonly Document[]): void {
  const transactions = [...Map.groupBy(kvs, ({ mod_revision: revision }) => BigInt(revision))];
  transactions.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, documents] of transactions) notify(follower, documents);
}

function notify(follower: HotFollower, kvs: readonly Document[]): void {
  const changes = changesOf(kvs);
  if (changes.gpus.length + changes.records.length > 0) follower.onChanges(changes);
}

function changesOf(kvs: readonly Document[]): HotChanges {
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
