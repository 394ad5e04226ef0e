import { coverageHourMs } from "../../domain/coverage.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { textArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { gpusTable, migPrefixOf } from "./device-states.ts";
import type { OwnRows } from "./own-rows.ts";
import { sourceDevicesOf } from "./own-sources.ts";
import { type HoursParameters, msOf } from "./source-hours.ts";

/** The declared items that a selector selects: nothing is known of them but their place and uuid. */
function selectedItems(
  { uuids, clusterId, hostname, parentUuid, gpuId, modelName, namespace }: GpuSelector,
  params: unknown[],
  own: OwnRows | undefined,
): string {
  const conditions = new Conditions(params)
    .add("cluster_id = ?", clusterId)
    .add("hostname = ?", hostname)
    .add("uuid = any(?::text::text[])", uuids && textArray(uuids));
  if (own !== undefined) conditions.addText(own.place("inventory_items"));
  // what has never reported was held by no workload
  if (own?.restrictsNamespaces === true) conditions.addText("false");
  const others = [parentUuid, gpuId, modelName, namespace];
  if (others.some((value) => value !== undefined)) conditions.addText("false");
  return `
never_items as materialized (
  select cluster_id, hostname, uuid, max(mig_prefix) as mig_prefix, max(gpus) as gpus, ${msOf("min(declared_at)")} as declared_ms
  from inventory_items ${conditions.after("where")} group by 1, 2, 3)`;
}

/** Of devices: until they are seen. Of hosts: as many GPUs as are declared, without those that were seen before the end of the hour and
 *  without declared devices. */
function unseenHours({ firstHour, lastHour, now }: HoursParameters, gpus: string): string {
  const hours = `generate_series(${firstHour}::float8::int8, ${lastHour}::float8::int8, ${coverageHourMs}) as h(hour_ms)`;
  return `
seen_parents as (
  select ${migPrefixOf("uuid")} as mig_prefix, min(first_seen_at) as first_seen_at from ${gpus}
  where exists (select from never_items) and ${migPrefixOf("uuid")} is not null group by 1),
never_devices as (
  select i.cluster_id, i.hostname, i.uuid, i.declared_ms, coalesce(${msOf("least(g.first_seen_at, p.first_seen_at)")}, 'infinity') as seen_ms
  from never_items i left join ${gpus} g using (uuid) left join seen_parents p on p.mig_prefix = i.mig_prefix where i.uuid <> ''),
unseen as (
  select d.cluster_id, d.hostname, d.uuid, h.hour_ms, 1::float8 as gpus, greatest(h.hour_ms, d.declared_ms) as from_ms,
    least(h.hour_ms + ${coverageHourMs}, d.seen_ms, ${now}::float8) as to_ms
  from never_devices d cross join ${hours}
  union all
  select i.cluster_id, i.hostname, '', h.hour_ms, i.gpus - s.seen - n.named, greatest(h.hour_ms, i.declared_ms),
    least(h.hour_ms + ${coverageHourMs}, ${now}::float8)
  from never_items i cross join ${hours}
  cross join lateral (
    select count(distinct coalesce(${migPrefixOf("g.uuid")}, g.uuid || ':mig:'))::float8 as seen from ${gpus} g
    where g.cluster_id = i.cluster_id and g.hostname = i.hostname and g.uuid !~* '^MIG-'
      and g.first_seen_at < to_timestamp((h.hour_ms + ${coverageHourMs}) / 1000.0)) s
  cross join lateral (
    select count(*)::float8 as named from never_devices d
    where d.cluster_id = i.cluster_id and d.hostname = i.hostname and d.seen_ms >= h.hour_ms + ${coverageHourMs}) n
  where i.uuid = '' and i.gpus > s.seen + n.named)`;
}

/** The milliseconds of each hour in which the item was gone, and in which it was under maintenance. */
const unseenStates = `
unseen_spans as (
  select u.cluster_id, u.hostname, u.uuid, u.hour_ms, s.state, tstzrange(s.from_at, least(s.to_at, s.returned_at))
    * tstzrange(to_timestamp(u.from_ms / 1000.0), to_timestamp(u.to_ms / 1000.0)) as span
  from (select * from unseen where from_ms < to_ms) u
  join (
    select i.cluster_id, i.hostname, i.uuid, s.id from never_items i join inventory_spans s on s.uuid = i.uuid where i.uuid <> ''
    union select i.cluster_id, i.hostname, i.uuid, s.id from never_items i
      join inventory_spans s on s.uuid = '' and s.cluster_id = i.cluster_id and s.hostname = i.hostname) x
    using (cluster_id, hostname, uuid)
  join inventory_spans s using (id)),
unseen_states as (
  select cluster_id, hostname, uuid, hour_ms, coalesce(range_agg(span) filter (where state = 'decommissioned'), '{}') as gone,
    coalesce(range_agg(span) filter (where state = 'maintenance'), '{}') as maintained
  from unseen_spans group by 1, 2, 3, 4)`;

function lengthOf(spans: string): string {
  return `coalesce((select sum(${msOf("upper(part)")} - ${msOf("lower(part)")}) from unnest(${spans}) as part), 0)`;
}

/** The most usual time between the readings of the host's sources, or else of the cluster's. */
const usualIntervals = (own: OwnRows | undefined): string => `
usual_intervals as (
  select p.cluster_id, p.hostname, newest.interval_ms, count(*) as sources
  from (
    select distinct g.cluster_id, g.hostname, d.source_id from ${sourceDevicesOf(own)} d join ${gpusTable(own)} g using (gpu_key)
    where g.cluster_id in (select cluster_id from never_items)) p
  cross join lateral (select interval_ms from source_readings r where r.source_id = p.source_id order by hour desc limit 1) newest
  group by 1, 2, 3),
never_hosts as (
  select n.cluster_id, n.hostname, coalesce(
    (select interval_ms from usual_intervals u where u.cluster_id = n.cluster_id and u.hostname = n.hostname
      order by sources desc, interval_ms limit 1),
    (select interval_ms from usual_intervals u where u.cluster_id = n.cluster_id
      group by interval_ms order by sum(sources) desc, interval_ms limit 1)) as interval_ms
  from (select distinct cluster_id, hostname from never_items) n)`;

/** CTEs: `never_seen(cluster_id, hostname, uuid, hour_ms, gpus, interval_ms, expected, maintenance)`, the declared GPUs of each hour that
 *  had not been seen. What is expected of them follows from the usual interval of their host or cluster; it is NULL if these have no
 *  live source.
 *  @param params the parameters of the statement; those of the selector are appended
 *  @param own follows the CTEs of `ownGpus` and `ownSources`; absent: no bounds */
export function neverSeen(
  gpus: GpuSelector,
  {
    hours,
    params,
    own,
  }: { readonly hours: HoursParameters; readonly params: unknown[]; readonly own?: OwnRows | undefined },
): string {
  const table = gpusTable(own);
  return `${selectedItems(gpus, params, own)},${unseenHours(hours, table)},${unseenStates},${usualIntervals(own)},
never_lengths as (
  select u.cluster_id, u.hostname, u.uuid, u.hour_ms, u.gpus, u.to_ms - u.from_ms as length_ms,
    ${lengthOf("s.gone + s.maintained")} as off_ms, ${lengthOf("s.maintained - s.gone")} as maintained_ms
  from unseen u left join unseen_states s using (cluster_id, hostname, uuid, hour_ms) where u.from_ms < u.to_ms),
never_seen as (
  select l.cluster_id, l.hostname, l.uuid, l.hour_ms, l.gpus, h.interval_ms,
    l.gpus * floor((l.length_ms - l.off_ms) / h.interval_ms) as expected,
    coalesce(l.gpus * floor(l.maintained_ms / h.interval_ms), 0) as maintenance
  from never_lengths l join never_hosts h using (cluster_id, hostname) where l.length_ms > l.off_ms or l.maintained_ms > 0)`;
}
