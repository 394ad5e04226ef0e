import { coverageHourMs } from "../../domain/coverage.ts";
import type { OwnRows } from "./own-rows.ts";
import { type HoursParameters, msOf, scheduledBetween } from "./source-hours.ts";

const isWhole = "s.first_ms <= h.hour_ms and s.until_ms >= h.hour_ms";

/** The hours of devices and their sources, each with the part in which the device had the source. A part that is not the whole hour
 *  has no more due readings than the ledger has of the hour: the interval can have changed. */
const allSpanHours = `
span_hours as (
  select s.gpu_key, s.first_ms, s.until_ms, h.source_id, h.hour_ms, h.end_ms, h.interval_ms, h.phase_ms,
    case when ${isWhole} + ${coverageHourMs} then h.due + h.pending + h.unlisted
      else least(h.due + h.pending + h.unlisted, ${scheduledBetween("greatest(h.hour_ms, s.first_ms)", "least(h.end_ms, s.until_ms)", "h")})
      end as expected
  from spans s join source_hours h on h.source_id = s.source_id and s.first_ms < h.end_ms and s.until_ms > h.hour_ms)`;

/** As `allSpanHours`, with a row for each part of an hour in which the device was within. What the ledger has of an hour also counts
 *  readings while the device was not within, so it is only taken if the device was within for the whole hour. Of a part, the schedule
 *  follows from the device's first record in it or in the time within that it belongs to. */
const ownSpanHours = ({ firstHour, lastHour }: HoursParameters): string => `
own_hours as (
  select p.gpu_key, p.from_ms, p.to_ms, h.hour_ms
  from (
    select gpu_key, ${msOf("lower(part)")} as from_ms, ${msOf("upper(part)")} as to_ms
    from own_time join devices using (gpu_key) cross join lateral unnest(spans) as part) p
  cross join lateral generate_series(
    greatest(${firstHour}::float8, floor(p.from_ms / ${coverageHourMs}) * ${coverageHourMs})::int8,
    least(${lastHour}::float8, (ceil(p.to_ms / ${coverageHourMs}) - 1) * ${coverageHourMs})::int8, ${coverageHourMs}) as h(hour_ms)),
own_parts as (
  select s.source_id, s.gpu_key, o.hour_ms, greatest(s.first_ms, o.from_ms) as first_ms, least(s.until_ms, o.to_ms) as until_ms
  from spans s join own_hours o using (gpu_key)),
span_hours as (
  select s.gpu_key, s.first_ms, s.until_ms, h.source_id, h.hour_ms, h.end_ms, h.interval_ms, h.phase_ms,
    case when ${isWhole} + ${coverageHourMs} and not h.is_unreported then h.due + h.pending + h.unlisted
      else ${scheduledBetween("greatest(h.hour_ms, s.first_ms)", "least(h.end_ms, s.until_ms)", "h")} end as expected
  from own_parts s
  cross join lateral (
    select h.source_id, h.hour_ms, h.end_ms, h.interval_ms, h.due, h.pending, h.unlisted, h.is_unreported,
      s.first_ms - floor(s.first_ms / h.interval_ms) * h.interval_ms as phase_ms
    from source_hours h where h.source_id || h.hour_ms = s.source_id || s.hour_ms) h
  where s.first_ms < least(h.end_ms, s.until_ms) and s.until_ms > h.hour_ms)`;

/** A CTE that follows those of `sourceHours`: `span_hours(gpu_key, source_id, hour_ms, first_ms, until_ms, expected, ...)`, what was
 *  expected of each device by the schedule of each of its sources.
 *  @param own follows the CTEs of `ownSources`; absent: no bounds */
export function spanHours(hours: HoursParameters, own: OwnRows | undefined): string {
  return own === undefined ? allSpanHours : ownSpanHours(hours);
}

/** CTEs that follow `span_hours`: what was expected of each device in each hour by the schedules of its sources. The
 *  source of the row is the newest of these. `is_partial`: the device had several, or not for all of their readings. */
export const scheduledDevices = `
scheduled as (
  select gpu_key, hour_ms, sum(expected)::float8 as expected, (array_agg(source_id order by until_ms desc, source_id))[1] as source_id,
    count(*) > 1 or bool_or(first_ms > hour_ms or until_ms < end_ms) as is_partial, array_agg(source_id order by source_id, first_ms) as source_ids,
    array_agg(greatest(hour_ms, first_ms) order by source_id, first_ms) as from_times,
    array_agg(least(end_ms, until_ms) order by source_id, first_ms) as to_times
  from span_hours group by gpu_key, hour_ms)`;
