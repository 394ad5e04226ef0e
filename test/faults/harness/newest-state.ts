import { prefixRange } from "../../../src/etcd/requests.ts";
import { HotKeys } from "../../../src/pipeline/hot/etcd/hot-keys.ts";
import { shortened } from "./invariants.ts";
import { hostOf, type Ledger } from "./ledger.ts";
import type { SeedRun } from "./seed-run.ts";

/** The documents of docs/hot-tier.md, with the fields that are checked. */
interface HotDocument {
  /** In a slot's document only. */
  readonly uuid?: string;
  /** In a slot's document only. */
  readonly first_seen_at?: string;
  /** In a flush's document only. */
  readonly records?: readonly {
    readonly uuid: string;
    readonly timestamp: string;
    readonly metrics: Readonly<Record<string, number>>;
  }[];
}

/** The newest record of a GPU, and the time of its first record. */
interface NewestRecord {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** I7: once everything is stored, the hot tier has every GPU's place, the time of its first record, and its complete newest
 *  record. The order in which messages were stored does not matter, nor which processes died. */
export async function checkNewestState(
  ledger: Pick<Ledger, "records">,
  { etcd, topic, clusterId }: Pick<SeedRun, "etcd" | "topic" | "clusterId">,
): Promise<string[]> {
  const prefix = `${new HotKeys(topic).cluster(clusterId)}/hosts/`;
  const { kvs } = await etcd.range(prefixRange(prefix));
  const slots = new Map<string, { place: string; firstMs: number }>();
  const newest = new Map<string, Omit<NewestRecord, "firstMs">>();
  for (const { key, value } of kvs) {
    const { uuid, first_seen_at, records = [] } = JSON.parse(value.toString()) as HotDocument;
    const place = key.toString().slice(prefix.length);
    if (place.includes("/gpus/")) slots.set(uuid ?? "", { place, firstMs: Date.parse(first_seen_at ?? "") });
    for (const record of records) {
      const lastMs = Date.parse(record.timestamp);
      const current = newest.get(record.uuid);
      if (current !== undefined && current.lastMs > lastMs) continue;
      const before = current?.lastMs === lastMs ? current.metrics : {};
      newest.set(record.uuid, { lastMs, metrics: greatestOf(before, record.metrics) });
    }
  }
  const wrong: string[] = [];
  for (const [uuid, { firstMs, ...expected }] of newestOf(ledger)) {
    const gpu = Number(uuid.split("-").at(-1));
    const slot = { place: `${hostOf(gpu)}/gpus/${gpu % 8}`, firstMs };
    if (!Bun.deepEquals(slots.get(uuid), slot)) {
      wrong.push(`I7: ${uuid} is at ${JSON.stringify(slots.get(uuid))}, the source has ${JSON.stringify(slot)}`);
    }
    if (!Bun.deepEquals(newest.get(uuid), expected)) {
      const [actual, wanted] = [newest.get(uuid), expected].map((record) => JSON.stringify(record));
      wrong.push(`I7: the newest record of ${uuid} is ${actual}, the source has ${wanted}`);
    }
  }
  return shortened(wrong);
}

/** The metrics of one record, of which two documents have parts. */
function greatestOf(one: NewestRecord["metrics"], other: NewestRecord["metrics"]): NewestRecord["metrics"] {
  const both = Object.entries(other).map(([metric, value]) => [metric, Math.max(value, one[metric] ?? value)] as const);
  return { ...one, ...Object.fromEntries(both) };
}

function newestOf({ records }: Pick<Ledger, "records">): Map<string, NewestRecord> {
  const newest = new Map<string, NewestRecord>();
  for (const [key, metrics] of records) {
    const [uuid = "", time] = key.split(" ");
    const timeMs = Number(time);
    const current = newest.get(uuid) ?? { firstMs: timeMs, lastMs: -Infinity, metrics };
    const firstMs = Math.min(current.firstMs, timeMs);
    newest.set(uuid, timeMs > current.lastMs ? { firstMs, lastMs: timeMs, metrics } : { ...current, firstMs });
  }
  return newest;
}
