import type { DeclaredChanges, DeclaredItem, Declarer, InventoryPlace } from "../../domain/inventory.ts";
import { migUuidPrefix } from "../../domain/mig-instance.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

const itemsText = `
select declared_by, cluster_id, hostname, uuid, mig_prefix, gpus::int
from unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[], $5::text::text[], $6::text::int8[])
  as i(declared_by, cluster_id, hostname, uuid, mig_prefix, gpus)`;

const insertText = `insert into inventory_items (declared_by, cluster_id, hostname, uuid, mig_prefix, gpus) ${itemsText}`;

// what is declared again is declared since then only if it is another place
const devicesText = `${insertText} where uuid <> ''
on conflict (declared_by, uuid) where uuid <> '' do update set cluster_id = excluded.cluster_id, hostname = excluded.hostname,
  declared_at = now()
where (inventory_items.cluster_id, inventory_items.hostname) is distinct from (excluded.cluster_id, excluded.hostname)
returning xmax = 0 as added`;

const hostsText = `${insertText} where uuid = ''
on conflict (declared_by, cluster_id, hostname, uuid) do update set gpus = excluded.gpus
where inventory_items.gpus is distinct from excluded.gpus
returning xmax = 0 as added`;

function parametersOf(items: readonly DeclaredItem[], by: Declarer): string[] {
  return [
    textArray(items.map(() => by)),
    textArray(items.map(({ clusterId }) => clusterId)),
    textArray(items.map(({ hostname }) => hostname)),
    textArray(items.map(({ uuid }) => uuid)),
    textArray(items.map(({ uuid }) => (uuid === "" ? "" : migUuidPrefix(uuid)))),
    numberArray(items.map(({ gpus = NaN }) => gpus)),
  ];
}

/** Adds and changes declared items.
 *  @param items no two of one device, and no two of one host */
export async function upsertDeclared(
  executor: SqlExecutor,
  items: readonly DeclaredItem[],
  by: Declarer,
): Promise<Omit<DeclaredChanges, "deleted">> {
  const params = parametersOf(items, by);
  const devices = await executor.query<{ added: boolean }>(devicesText, params);
  const rows = [...devices, ...(await executor.query<{ added: boolean }>(hostsText, params))];
  const added = rows.filter((row) => row.added).length;
  return { added, changed: rows.length - added };
}

/** Deletes what the same declarer has declared and is not in the list any more. @returns the number of deleted items */
export async function deleteUndeclared(
  executor: SqlExecutor,
  items: readonly DeclaredItem[],
  by: Declarer,
): Promise<number> {
  const text = `
with kept as (${itemsText})
delete from inventory_items i where declared_by = $7 and not exists (
  select from kept k where k.uuid = i.uuid and (k.uuid <> '' or (k.cluster_id = i.cluster_id and k.hostname = i.hostname)))
returning 1`;
  return (await executor.query(text, [...parametersOf(items, by), by])).length;
}

/** Deletes the declarations of a host, or of a device. @returns the number of deleted items */
export async function deleteDeclared(
  executor: SqlExecutor,
  { clusterId, hostname, uuid }: InventoryPlace,
  by: Declarer,
): Promise<number> {
  const text = `
delete from inventory_items where declared_by = $4 and uuid = $3 and ($3 <> '' or (cluster_id = $1 and hostname = $2)) returning 1`;
  return (await executor.query(text, [clusterId, hostname, uuid, by])).length;
}
