import { coverageHourMs } from "../../domain/coverage.ts";
import type { OwnRows } from "./own-rows.ts";
import { sourceDevicesOf } from "./own-sources.ts";

/** Milliseconds since the epoch of an instant: exact, because `extract` gives a decimal number. */
export function msOf(instant: string): string {
  return `(extract(epoch from ${instant}) * 1000)::float8`;
}

/** An SQL expression: the number of scheduled times `k * interval + phase` from one instant up to another one, which is not included.
 *  @param alias has the columns `interval_ms` and `phase_ms` */
export function scheduledBetween(from: string, to: string, alias: string): string {
  const before = (instant: string): string => `ceil((${instant} - ${alias}.phase_ms) / ${alias}.interval_ms)`;
  return `greatest(0, ${before(to)} - ${before(from)})`;
}

/** The placeholders of the hours and of the present time, milliseconds since the epoch. */
export interface HoursParameters {
  readonly firstHour: string;
  readonly lastHour: string;
  readonly now: string;
}

/** A condition: an instant is within the hours of a range. */
export const withinHours = (column: string, { firstHour, lastHour }: Omit<HoursParameters, "now">): string =>
  `${column} >= to_timestamp(${firstHour}::float8 / 1000.0)
      and ${column} < to_timestamp((${lastHour}::float8 + ${coverageHourMs}) / 1000.0)`;

/** CTEs that follow a CTE `devices(gpu_key, ...)`:
 *
 *  - `spans(source_id, gpu_key, first_ms, until_ms)`: when each device belonged to a source. A source that has reported a device
 *    later than another source ends the span of the other. Otherwise it has no end: a device that vanishes goes on being expected.
 *  - `sources(source_id, interval_ms, last_ms, first_hour_ms, cutoff_ms, devices)`: the sources as they are now. Nothing is expected
 *    from `cutoff_ms` on: a reading that no streamer has reported is expected when one interval has passed.
 *  @param sourceIds a query for the ids of the sources
 *  @param now the present time, milliseconds since the epoch
 *  @param own follows the CTEs of `ownSources`; absent: no bounds */
export function sourceSpans(sourceIds: string, now: string, own?: OwnRows): string {
  const isFormer =
    own === undefined
      ? `exists (select from source_devices o where o.gpu_key = d.gpu_key
      and o.last_at > d.last_at + interval '10 minutes')`
      : "d.is_former";
  return `
spans as (
  select d.source_id, d.gpu_key, ${msOf("d.first_at")} as first_ms,
    case when ${isFormer} then ${msOf("d.last_at")} + 1 else 'infinity' end as until_ms
  from ${sourceDevicesOf(own)} d join devices using (gpu_key)),
sources as (
  select i.source_id, newest.interval_ms, ${msOf("newest.last_at")} as last_ms, ${msOf("oldest.hour")} as first_hour_ms,
    least(greatest(${msOf("newest.last_at")}, ${now}::float8 - newest.interval_ms) + 1, coalesce(u.until_ms, 'infinity')) as cutoff_ms,
    coalesce(u.devices, 0) as devices
  from (${sourceIds}) i
  cross join lateral (select * from source_readings r where r.source_id = i.source_id order by hour desc limit 1) newest
  cross join lateral (select hour from source_readings r where r.source_id = i.source_id order by hour limit 1) oldest
  left join (select source_id, max(until_ms) as until_ms, count(*)::float8 as devices from spans group by 1) u
    on u.source_id = i.source_id)`;
}

/** A query for the sources of the devices in the CTE `devices`. */
export const sourcesOfDevices = (own: OwnRows | undefined): string =>
  `select distinct source_id from ${sourceDevicesOf(own)} join devices using (gpu_key)`;

/** CTEs: the hours in which a source had ended, or ended; `ended_ms` is NULL in the hour in which it began again, the last of them. */
const endedHours = ({ firstHour, lastHour }: HoursParameters): string => `
end_times as (
  select e.source_id, ${msOf("e.ended_at")} as ended_ms, coalesce((
    select ${msOf("r.hour")} from source_readings r where r.source_id = e.source_id and r.hour > e.ended_at - interval '1 hour'
      and r.last_at > e.ended_at order by r.hour limit 1), 'infinity') as resumed_hour_ms
  from source_ends e where e.source_id in (select source_id from sources)),
ended_hours as (
  select e.source_id, h.hour_ms, min(e.ended_ms) filter (where e.resumed_hour_ms > h.hour_ms) as ended_ms
  from end_times e
  join generate_series(${firstHour}::float8::int8, ${lastHour}::float8::int8, ${coverageHourMs}) as h(hour_ms)
    on h.hour_ms > e.ended_ms - ${coverageHourMs} and h.hour_ms <= e.resumed_hour_ms
  group by 1, 2)`;

/** The CTEs of `sourceSpans`, and `source_hours(source_id, hour_ms, end_ms, interval_ms, phase_ms, due, pending, unlisted, ...)`: the
 *  hours of each source, from its first one until now. `due` readings were reported; of `pending` ones, no streamer has said what became
 *  of them; `unlisted` ones would have been due if the source had not ended.
 *  @param sourceIds a query for the ids of the sources */
export function sourceHours(sourceIds: string, hours: HoursParameters, own: OwnRows | undefined): string {
  const { firstHour, lastHour, now } = hours;
  return `${sourceSpans(sourceIds, now, own)},${endedHours(hours)},
timed_hours as (
  select s.source_id, s.cutoff_ms, s.last_ms, s.devices, h.hour_ms, e.ended_ms, e.source_id is not null as was_ended,
    r.source_id is null as is_unreported,
    coalesce(r.interval_ms, s.interval_ms) as interval_ms,
    coalesce(${msOf("r.last_at")}, s.last_ms) as anchor_ms,
    coalesce(r.due, 0)::float8 as due, coalesce(r.received, 0)::float8 as received, coalesce(r.late, 0)::float8 as late,
    coalesce(r.frozen, 0)::float8 as frozen, coalesce(r.quarantined, 0)::float8 as quarantined, coalesce(r.missed, '{}') as missed
  from sources s
  join generate_series(${firstHour}::float8::int8, ${lastHour}::float8::int8, ${coverageHourMs}) as h(hour_ms)
    on h.hour_ms >= s.first_hour_ms and h.hour_ms < greatest(s.cutoff_ms, s.last_ms + 1)
  left join source_readings r on r.source_id = s.source_id and r.hour = to_timestamp(h.hour_ms / 1000.0)
  left join ended_hours e on e.source_id = s.source_id and e.hour_ms = h.hour_ms),
phased_hours as (
  select *, anchor_ms - floor(anchor_ms / interval_ms) * interval_ms as phase_ms,
    least(hour_ms + ${coverageHourMs}, cutoff_ms) as end_ms,
    case when is_unreported then hour_ms else greatest(hour_ms, last_ms + 1) end as pending_from_ms,
    least(hour_ms + ${coverageHourMs}, cutoff_ms, ended_ms + 1) as pending_to_ms
  from timed_hours),
reported_hours as (
  select p.*, ${scheduledBetween("p.pending_from_ms", "p.pending_to_ms", "p")} as pending from phased_hours p),
source_hours as (
  select p.*, case when not p.was_ended then 0
    else greatest(0, ${scheduledBetween("p.hour_ms", "p.end_ms", "p")} - p.due - p.pending) end as unlisted
  from reported_hours p)`;
}
