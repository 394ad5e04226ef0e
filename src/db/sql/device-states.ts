import { coverageHourMs } from "../../domain/coverage.ts";
import { returnGraceMs } from "../../domain/inventory.ts";
import { firstAfter } from "./block-records.ts";
import { type OwnRows, ownRecordsOfBlock, telemetryOf } from "./own-rows.ts";
import { sourceDevicesOf } from "./own-sources.ts";
import { bucketOf } from "./rollup-source.ts";
import { missedIn, scheduledIn, wholeHour } from "./missed-parts.ts";
import { sourceHoursOf } from "./own-source-hours.ts";
import { type HoursParameters, msOf, scheduledBetween, withinHours } from "./source-hours.ts";

const grace = `interval '${returnGraceMs / 1000} seconds'`;

/** An SQL expression: what the uuid of a MIG instance begins with, as `migUuidPrefix` has it; NULL for a GPU. */
export function migPrefixOf(uuid: string): string {
  return `substring(${uuid} from '^[A-Za-z0-9._+%-]+:mig:')`;
}

/** An SQL expression: when a device came back after its decommissioning; NULL if it did not. The instant at which a GPU was last
 *  seen spares the search in the records of the others.
 *  @param span alias of its row of `inventory_spans`
 *  @param gpu alias of its row of `gpus` */
export function returnOf(span: string, gpu: string): string {
  return `case when ${span}.state = 'decommissioned' and ${gpu}.last_seen_at > ${span}.from_at + ${grace} then (
    ${firstAfter(`${gpu}.gpu_key`, `${span}.from_at + ${grace}`)}) end`;
}

/** An SQL expression: when a span ends for a device; NULL if it has no end. */
function endFor(span: string, gpu: string): string {
  return `least(${span}.to_at, coalesce(case when ${span}.uuid = ${gpu}.uuid then ${span}.returned_at end, ${returnOf(span, gpu)}))`;
}

/** The GPUs that a statement reads: `gpus`, or those that were ever within bounds, by the CTEs of `ownGpus`. */
export function gpusTable(own: OwnRows | undefined): string {
  return own === undefined ? "gpus" : "own_gpus";
}

/** CTE `device_states(gpu_key, gone, maintained)`: when devices were or will be decommissioned and under maintenance, as multiranges;
 *  only devices of which that was said. With bounds, a device is gone while it is not within: nothing is then due of it. A MIG instance has the spans of its GPU, and every device those of its host's maintenance.
 *  With a host, its devices were decommissioned one by one.
 *  @param gpuKeys a query for the devices
 *  @param own follows the CTEs of `ownGpus`; absent: no bounds */
export function deviceStates(gpuKeys: string, own?: OwnRows): string {
  const elsewhere = `
  union all
  select gpu_key, 'decommissioned', unnest(tstzmultirange(tstzrange('-infinity', 'infinity')) - spans)
  from own_time where gpu_key in (${gpuKeys})`;
  const spansBy = (condition: string): string => `
  select g.gpu_key, s.state, tstzrange(s.from_at, ${endFor("s", "g")}) as span
  from inventory_spans s join ${gpusTable(own)} g on ${condition} where g.gpu_key in (${gpuKeys})`;
  return `
state_spans as (
  ${spansBy("g.uuid = s.uuid")}
  union all ${spansBy(`s.uuid <> '' and ${migPrefixOf("g.uuid")} = s.mig_prefix`)}
  union all ${spansBy("s.uuid = '' and s.state = 'maintenance' and g.cluster_id = s.cluster_id and g.hostname = s.hostname")}${own === undefined ? "" : elsewhere}),
device_states as (
  select gpu_key, coalesce(range_agg(span) filter (where state = 'decommissioned'), '{}') as gone,
    coalesce(range_agg(span) filter (where state = 'maintenance'), '{}') as maintained
  from state_spans where not isempty(span) group by gpu_key)`;
}

/** A query for parts of time without overlaps: `(<key>, state, from_ms, to_ms)`. What is both gone and under maintenance is gone.
 *  @param key the columns that identify whose time it is */
export function partsOf(table: string, key: string): string {
  const parts = (state: string, spans: string): string => `
  select ${key}, '${state}' as state, coalesce(${msOf("lower(part)")}, '-infinity') as from_ms,
    coalesce(${msOf("upper(part)")}, 'infinity') as to_ms
  from ${table} cross join lateral unnest(${spans}) as part`;
  return `${parts("decommissioned", "gone")} union all ${parts("maintenance", "maintained - gone")}`;
}

const partsOff = ({ firstHour, lastHour }: HoursParameters): string => `
parts_off as materialized (
  select * from (${partsOf("device_states", "gpu_key")}) p
  where p.from_ms < ${lastHour}::float8 + ${coverageHourMs} and p.to_ms > ${firstHour}::float8)`;

/** CTEs that follow `device_states`, `span_hours`, and `learned`: `excused(gpu_key, hour_ms, excused, maintenance)`, the readings of
 *  each device and hour that were due while it was gone or under maintenance, and were not received. `maintenance` has those of
 *  maintenance alone. What was received then was due, and counts like everything else. */
export function excusedDevices(hours: HoursParameters, own?: OwnRows): string {
  const isIn = (instant: string): string => `${msOf(instant)} >= o.from_ms and ${msOf(instant)} < o.to_ms`;
  const learnedBefore = (instant: string): string =>
    `ceil((least(greatest(${instant}, l.from_ms), l.to_ms) - l.from_ms) / l.step_ms)`;
  return `
${partsOff(hours)},
due_off as (
  select h.gpu_key, h.hour_ms, o.state,
    case when o.from_ms <= greatest(h.hour_ms, h.first_ms) and o.to_ms >= least(h.end_ms, h.until_ms) then h.expected
      else least(h.expected, ${scheduledBetween(
        "greatest(h.hour_ms, h.first_ms, o.from_ms)",
        "least(h.end_ms, h.until_ms, o.to_ms)",
        "h",
      )}) end as due
  from span_hours h join parts_off o using (gpu_key)
  union all
  select l.gpu_key, l.hour_ms, o.state, ${learnedBefore("o.to_ms")} - ${learnedBefore("o.from_ms")}
  from learned l join parts_off o using (gpu_key) where l.step_ms is not null),
received_off as (
  select gpu_key, hour_ms, state, sum(received)::float8 as received from (
    select t.gpu_key, ${msOf(bucketOf("1h", "t.time"))} as hour_ms, o.state, count(*) as received
    from parts_off o join ${telemetryOf(own)} t using (gpu_key)
    where ${withinHours("t.time", hours)} and ${isIn("t.time")}
    group by 1, 2, 3
    union all
    select b.gpu_key, ${msOf(bucketOf("1h", "b.from_at"))}, o.state,
      case when ${isIn("b.from_at")} and ${isIn("b.to_at")} then ${own?.recordsOfBlock("b") ?? "b.records"}
        else (select count(*) from ${ownRecordsOfBlock("b", own)} r where ${isIn("r.time")}) end
    from parts_off o join blocks b using (gpu_key)
    where ${withinHours("b.from_at", hours)} and ${msOf("b.to_at")} >= o.from_ms and ${msOf("b.from_at")} < o.to_ms) counted
  group by 1, 2, 3),
excused as (
  select gpu_key, hour_ms, sum(left_out) as excused, coalesce(sum(left_out) filter (where state = 'maintenance'), 0) as maintenance
  from (
    select gpu_key, hour_ms, state, greatest(0, d.due - coalesce(r.received, 0)) as left_out
    from (select gpu_key, hour_ms, state, sum(due) as due from due_off group by 1, 2, 3) d
    left join received_off r using (gpu_key, hour_ms, state)) x
  group by gpu_key, hour_ms)`;
}

/** CTEs that follow `device_states` and `source_hours`: `excused(source_id, hour_ms, excused, maintenance, ...)`, as for devices, where
 *  every device of the source was gone or under maintenance, with what was missed in the rest of the hour. A reading of which it was not
 *  kept when it was due is taken as missed in that rest, if as many were due there. */
export const excusedSources = (own: OwnRows | undefined): string => `
source_states as (
  select source_id, range_intersect_agg(gone) as gone, range_intersect_agg(gone + maintained) as maintained
  from (
    select d.source_id, coalesce(gone, '{}') as gone, coalesce(maintained, '{}') as maintained
    from (${currentDevices("select source_id from sources", own)}) d left join device_states using (gpu_key)) each
  group by source_id),
excused_hours as (
  select h.source_id, h.hour_ms, inside.*, ${scheduledIn("t.on_time", "h")} as due_on, h.due + h.pending - h.received as missing,
    off.placed + off.pending + off.unplaced as most_maintenance
  from ${sourceHoursOf(own)} h join source_states s using (source_id)
  cross join lateral (
    select ${wholeHour("h")} - s.gone - s.maintained as on_time, ${wholeHour("h")} * (s.maintained - s.gone) as maintained) t
  cross join lateral (${missedIn("t.on_time", "h")}) inside
  cross join lateral (${missedIn("t.maintained", "h")}) off
  where (s.gone + s.maintained) && ${wholeHour("h")}),
counted_hours as (
  select *, greatest(0, missing - placed - pending - least(unplaced, greatest(0, due_on - placed - pending))) as excused
  from excused_hours),
excused as (select *, least(excused, most_maintenance) as maintenance from counted_hours)`;

/** A query for `(source_id, gpu_key)`: the devices that sources have and that no other source has reported since.
 *  @param own follows the CTEs of `ownSources`; absent: no bounds */
export function currentDevices(sourceIds: string, own?: OwnRows): string {
  if (own !== undefined) {
    return `select source_id, gpu_key from ${sourceDevicesOf(own)} where source_id in (${sourceIds}) and not is_former`;
  }
  return `
  select d.source_id, d.gpu_key from source_devices d where d.source_id in (${sourceIds})
    and not exists (select from source_devices o where o.gpu_key = d.gpu_key and o.last_at > d.last_at + interval '10 minutes')`;
}
