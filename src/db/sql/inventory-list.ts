import { migPrefixOf, returnOf } from "./device-states.ts";
import { ownGpus, type OwnRows } from "./own-rows.ts";

/** Joins a list of items with the spans that hold for each: its own, for a device those of its GPU and the maintenance of its host,
 *  and for a device that has never reported the decommissioning of its host. */
const matchedSpans = `
matched as (
  select i.cluster_id, i.hostname, i.uuid, s.state, s.from_at, s.to_at, s.note, s.changed_at,
    coalesce(case when s.uuid = i.uuid then s.returned_at end, ${returnOf("s", "i")}) as returned_at
  from (
    select i.*, s.id from items i join inventory_spans s on s.uuid = i.uuid where i.uuid <> ''
    union all
    select i.*, s.id from items i join inventory_spans s on s.mig_prefix = ${migPrefixOf("i.uuid")} and s.uuid <> ''
    union all
    select i.*, s.id from items i join inventory_spans s on s.uuid = '' and s.cluster_id = i.cluster_id and s.hostname = i.hostname
    where i.uuid = '' or s.state = 'maintenance' or i.first_seen_at is null) i
  join inventory_spans s using (id))`;

/** The span that holds for an item now, or else its next maintenance; decommissioning before maintenance. The time is that of the
 *  statement: a span that the transaction has added begins after its start, because it waited for its turn. */
const presentSpans = `
present as (
  select distinct on (cluster_id, hostname, uuid) cluster_id, hostname, uuid, from_at, least(to_at, returned_at) as to_at, note,
    case when from_at <= statement_timestamp() then state else 'active' end as state
  from matched where least(to_at, returned_at) is null or (least(to_at, returned_at) > statement_timestamp() and to_at is distinct from from_at)
  order by cluster_id, hostname, uuid, from_at > statement_timestamp(), case when from_at > statement_timestamp() then from_at end, state = 'maintenance',
    least(to_at, returned_at) desc nulls first),
changes as (
  select cluster_id, hostname, uuid, max(changed_at) as changed_at, max(returned_at) as returned_at from matched group by 1, 2, 3)`;

/** The hosts and devices that have reported or were declared. `gpus_of_instances` has the GPUs that only their MIG instances report;
 *  their uuids are known once they have a span of their own. */
/** CTEs: `present_gpus` and `own_items`, what is within bounds now. What was declared and has never reported was held by no workload; and
 *  of a host with other GPUs, the declared number is not own. */
const ownItems = (own: OwnRows): string => `${ownGpus(own)},
present_gpus as (select * from own_gpus where is_own),
own_items as (
  select * from inventory_items where ${own.restrictsNamespaces ? "uuid in (select uuid from present_gpus)" : own.place("inventory_items")}),`;

/** The GPUs that have reported, and what was declared. */
interface Listed {
  readonly gpus: string;
  readonly declared: string;
  readonly declaredHosts: string;
}

const everything: Listed = { gpus: "gpus", declared: "inventory_items", declaredHosts: "inventory_items" };

function ownTables(own: OwnRows): Listed {
  const declaredHosts = own.restrictsNamespaces ? "(select * from own_items where false) i" : "own_items";
  return { gpus: "present_gpus", declared: "own_items", declaredHosts };
}

const items = ({ gpus, declared, declaredHosts }: Listed): string => `
declared_devices as (
  select uuid, max(mig_prefix) as mig_prefix, (array_agg(cluster_id order by declared_by))[1] as cluster_id,
    (array_agg(hostname order by declared_by))[1] as hostname, array_agg(declared_by order by declared_by) as declared_by,
    min(declared_at) as declared_at
  from ${declared} where uuid <> '' group by uuid),
declared_hosts as (
  select cluster_id, hostname, max(gpus) as gpus, array_agg(distinct declared_by order by declared_by) as declared_by,
    min(declared_at) as declared_at
  from ${declaredHosts} group by 1, 2),
seen_instances as (
  select ${migPrefixOf("uuid")} as mig_prefix, (array_agg(cluster_id order by last_seen_at desc))[1] as cluster_id,
    (array_agg(hostname order by last_seen_at desc))[1] as hostname, min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
  from ${gpus} where ${migPrefixOf("uuid")} is not null group by 1),
gpus_of_instances as (
  select s.uuid, m.* from (select distinct uuid, mig_prefix from inventory_spans where uuid <> '') s join seen_instances m using (mig_prefix)
  where not exists (select from gpus g where g.uuid = s.uuid) and not exists (select from declared_devices d where d.uuid = s.uuid)),
seen_hosts as (
  select cluster_id, hostname, count(distinct coalesce(${migPrefixOf("uuid")}, uuid || ':mig:')) filter (where uuid !~* '^MIG-') as gpus_seen,
    min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at
  from ${gpus} group by 1, 2),
items as (
  select coalesce(g.cluster_id, i.cluster_id) as cluster_id, coalesce(g.hostname, i.hostname) as hostname,
    coalesce(g.uuid, i.uuid) as uuid, g.gpu_key, null::int as gpus, null::int8 as gpus_seen, i.declared_by, i.declared_at,
    coalesce(g.first_seen_at, m.first_seen_at) as first_seen_at, coalesce(g.last_seen_at, m.last_seen_at) as last_seen_at
  from ${gpus} g full join declared_devices i on i.uuid = g.uuid left join seen_instances m on m.mig_prefix = i.mig_prefix
  union all
  select cluster_id, hostname, uuid, null, null, null, null, null, first_seen_at, last_seen_at from gpus_of_instances
  union all
  select coalesce(g.cluster_id, i.cluster_id), coalesce(g.hostname, i.hostname), '', null, i.gpus, coalesce(g.gpus_seen, 0),
    i.declared_by, i.declared_at, g.first_seen_at, g.last_seen_at
  from seen_hosts g full join declared_hosts i on i.cluster_id = g.cluster_id and i.hostname = g.hostname)`;

/** CTEs: `inventory`, every host and device that ought to be there, with its state.
 *  @param own only those within bounds; absent: all */
export const inventoryCtes = (
  own?: OwnRows,
): string => `${own === undefined ? items(everything) : `${ownItems(own)}${items(ownTables(own))}`},${matchedSpans},${presentSpans},
inventory as (
  select i.cluster_id, i.hostname, i.uuid, i.gpus, i.gpus_seen, i.declared_by, i.declared_at, i.first_seen_at, i.last_seen_at,
    coalesce(s.state, 'active') as state, s.from_at, s.to_at, coalesce(s.note, '') as note, c.changed_at, c.returned_at
  from items i left join present s using (cluster_id, hostname, uuid) left join changes c using (cluster_id, hostname, uuid))`;
