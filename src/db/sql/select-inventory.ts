import type { InventoryCounts, InventoryFilter, InventoryItem } from "../../domain/inventory.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { inventoryCtes } from "./inventory-list.ts";
import { OwnRows } from "./own-rows.ts";
import { msOf } from "./source-hours.ts";

/** A field that may be undefined is NULL in a row. */
type Row = {
  readonly [Name in keyof InventoryItem]: undefined extends InventoryItem[Name] ? number | null : InventoryItem[Name];
};

const place = 'cluster_id collate "C", hostname collate "C", uuid collate "C"';

/** Reads the items that a filter selects, and one more than its limit if more exist. */
export async function selectInventory(executor: SqlExecutor, filter: InventoryFilter): Promise<InventoryItem[]> {
  const conditions = conditionsOf(filter);
  const own = filter.within && new OwnRows(filter.within, conditions);
  const text = `
with ${inventoryCtes(own)}
select cluster_id as "clusterId", hostname, uuid, gpus, gpus_seen::float8 as "gpusSeen", to_jsonb(coalesce(declared_by, '{}')) as "declaredBy",
  state, note, ${msOf("from_at")} as "fromMs", ${msOf("to_at")} as "toMs", ${msOf("changed_at")} as "changedAtMs",
  ${msOf("declared_at")} as "declaredAtMs", ${msOf("first_seen_at")} as "firstSeenAtMs", ${msOf("last_seen_at")} as "lastSeenAtMs",
  ${msOf("returned_at")} as "returnedAtMs"
from inventory ${conditions.after("where")} order by ${place} limit ${conditions.param(filter.limit + 1)}`;
  const rows = await executor.query<Row>(text, conditions.params);
  return rows.map(itemOf);
}

function conditionsOf({ clusterId, hostname, uuid, kind, state, seen, after }: InventoryFilter): Conditions {
  const conditions = new Conditions()
    .add("cluster_id = ?", clusterId)
    .add("hostname = ?", hostname)
    .add("uuid = ?", uuid)
    .add("state = ?", state);
  if (kind !== undefined) conditions.addText(kind === "host" ? "uuid = ''" : "uuid <> ''");
  if (seen !== undefined) conditions.addText(`first_seen_at is ${seen ? "not null" : "null"}`);
  if (after === undefined) return conditions;
  const values = [after.clusterId, after.hostname, after.uuid].map((value) => conditions.param(value));
  return conditions.addText(`(${place}) > (${values.join(", ")})`);
}

/** Instants are whole milliseconds; a field that is NULL is undefined. */
function itemOf(row: Row): InventoryItem {
  const { clusterId, hostname, uuid, state, note, declaredBy } = row;
  return {
    ...{ clusterId, hostname, uuid, state, note, declaredBy },
    fromMs: whole(row.fromMs),
    toMs: whole(row.toMs),
    changedAtMs: whole(row.changedAtMs),
    declaredAtMs: whole(row.declaredAtMs),
    gpus: row.gpus ?? undefined,
    gpusSeen: row.gpusSeen ?? undefined,
    firstSeenAtMs: whole(row.firstSeenAtMs),
    lastSeenAtMs: whole(row.lastSeenAtMs),
    returnedAtMs: whole(row.returnedAtMs),
  };
}

function whole(value: number | null): number | undefined {
  return value === null ? undefined : Math.round(value);
}

const isGpu = "uuid <> '' and uuid !~* '^MIG-' and uuid not like '%:mig:%'";

const countsText = `
with ${inventoryCtes()},
by_host as (
  select max(gpus) as gpus, max(gpus_seen) as gpus_seen, count(*) filter (where ${isGpu} and declared_by is not null) as named,
    count(*) filter (where ${isGpu} and first_seen_at is null and state <> 'decommissioned') as named_unseen,
    bool_or(uuid = '' and state = 'decommissioned') as is_gone
  from inventory group by cluster_id, hostname)
select (select coalesce(sum(greatest(gpus, named)), 0) from by_host)::float8 as declared,
  (select coalesce(sum(gpus_seen), 0) from by_host)::float8 as seen,
  (select coalesce(sum(greatest(0, named_unseen, case when is_gone then 0 else gpus - gpus_seen end)), 0) from by_host)::float8
    as "neverSeen",
  (select count(*) from inventory where ${isGpu} and state = 'maintenance')::float8 as maintenance,
  (select count(*) from inventory where ${isGpu} and state = 'decommissioned')::float8 as decommissioned`;

/** Counts the GPUs of the inventory. */
export async function countInventory(executor: SqlExecutor): Promise<InventoryCounts> {
  const [counts] = await executor.query<InventoryCounts>(countsText);
  return counts as InventoryCounts;
}
