import { coverageHourMs } from "../../domain/coverage.ts";
import { type OwnRows, ownRecordsOfBlock, telemetryOf } from "./own-rows.ts";
import { sourceDevicesOf, unscheduledDevicesOf } from "./own-sources.ts";
import { type HoursParameters, msOf, withinHours } from "./source-hours.ts";

/** The range that times between records are learned from: its first and last hour, milliseconds since the epoch. */
export type LearnedRange = Pick<HoursParameters, "firstHour" | "lastHour">;

/** A condition: the device has no source with a schedule. @param own follows the CTEs of `ownSources`; absent: no bounds */
export const isUnscheduled = (alias: string, { lastHour }: LearnedRange, own?: OwnRows): string => `not exists (
      select from ${sourceDevicesOf(own)} s where s.gpu_key = ${alias}.gpu_key
        and s.first_at < to_timestamp((${lastHour}::float8 + ${coverageHourMs}) / 1000.0))`;

/** So many of a device's times between records are looked at, the newest of the range: of millions of records, as good a median. */
export const learnedFrom = 100;

/** A query for the newest instants of a device's records in the range. Blocks are decoded one by one, the newest first, until these are
 *  enough; none if the rows have enough newer ones. */
const newestOf = (gpuKey: string, range: LearnedRange, own: OwnRows | undefined): string => `
        with newest_rows as (
          select t.time from ${telemetryOf(own)} t where t.gpu_key = ${gpuKey} and ${withinHours("t.time", range)}
          order by t.time desc limit ${learnedFrom + 1}),
        newest_settled as (
          select r.time from blocks b cross join lateral ${ownRecordsOfBlock("b", own)} r
          where b.gpu_key = ${gpuKey} and ${withinHours("b.from_at", range)}
            and b.to_at > coalesce((select min(time) from newest_rows having count(*) > ${learnedFrom}), '-infinity')
          order by b.from_at desc, r.time desc limit ${learnedFrom + 1})
        select time from newest_rows union all select time from newest_settled
        order by time desc limit ${learnedFrom + 1}`;

/** A query for the devices that have records in the range and no source with a schedule, each with the median of the times between its
 *  newest records, and the instant of the newest one. Each device is looked up on its own, because sorting all records takes longer;
 *  and its times become milliseconds last, because for each record that takes longer than reading it. */
const stepsOf = (devices: string, range: LearnedRange, own: OwnRows | undefined): string => `
  select d.gpu_key, ${msOf("c.step")} as step_ms, c.steps, c.newest_at
  from ${devices} d cross join lateral (
    select percentile_disc(0.5) within group (order by step) as step, count(step) as steps, max(time) as newest_at
    from (
      select time, lag(time) over (order by time desc) - time as step
      from (${newestOf("d.gpu_key", range, own)}) newest) gaps) c
  where ${isUnscheduled("d", range, own)} and c.newest_at is not null`;

/** A query for the instant of a device's newest record, without a value if the device has no record. Instants become milliseconds where
 *  they are fewest: it takes PostgreSQL as long as to find the record. */
const newestInStore = (gpuKey: string, own: OwnRows | undefined): string => {
  const settled =
    own === undefined
      ? `select b.to_at as time from blocks b where b.gpu_key = ${gpuKey} order by b.from_at desc limit 1`
      : `select r.time from blocks b cross join lateral ${ownRecordsOfBlock("b", own)} r
      where b.gpu_key = ${gpuKey} order by b.from_at desc, r.time desc limit 1`;
  return `
    select max(time) as time, ${msOf("max(time)")} as ms from (
      (select t.time from ${telemetryOf(own)} t where t.gpu_key = ${gpuKey} order by t.time desc limit 1)
      union all
      (${settled})) newest having count(*) > 0`;
};

/** A condition: no other source has reported the device since. */
const notElsewhere = (alias: string, own: OwnRows | undefined): string =>
  own !== undefined
    ? `not ${alias}.is_former`
    : `not exists (
      select from unscheduled_devices n where n.gpu_key = ${alias}.gpu_key and n.source_id <> ${alias}.source_id
        and n.last_at > ${alias}.last_at + interval '10 minutes')`;

/** CTEs that follow `devices(gpu_key, first_seen_at, ...)`: `learned_spans(gpu_key, step_ms, first_ms, last_ms, source_ms, newest_ms)`,
 *  when devices that no schedule covers were expected. The time between records is the median of the device's in the range; of all such
 *  devices if the device has less than three records. A device is expected from its first record in the store to its last one, or to
 *  the last one of a source that has reported it: when a file ends, no more is expected, and a device that vanishes in the middle of it
 *  is missing. `source_ms` is when that source ended, `newest_ms` the instant of the newest record of the range, or else of all.
 *  @param range all hours, which the times are learned from
 *  @param all the CTE of all devices, if `devices` has only some of them
 *  @param own with bounds, a source ends with the last record of its devices that was within. `last_seen_at` may be ten minutes older than
 *    the newest record
 *  @param steps a query for what `stepsOf` gives, if it is known already */
export function learnedSpans(
  range: LearnedRange,
  {
    all,
    own,
    steps = stepsOf("devices", range, own),
  }: { readonly all?: string; readonly own?: OwnRows | undefined; readonly steps?: string | undefined } = {},
): string {
  const ends =
    own === undefined
      ? `select source_id, (select max(last_at) from unscheduled_devices u where u.source_id = i.source_id) as last_at
      from (select distinct source_id from reporters) i offset 0`
      : `select u.source_id, max(case when o.is_own then greatest(o.last_seen_at, (select n.time from (${newestInStore("o.gpu_key", undefined)}) n))
        else o.last_seen_at end) as last_at
      from ${unscheduledDevicesOf(own)} u join own_gpus o using (gpu_key)
      where u.source_id in (select source_id from reporters) group by u.source_id`;
  return `
steps as (${steps}),
usual as (
  select percentile_disc(0.5) within group (order by step_ms) as step_ms
  from (${all === undefined ? "select * from steps" : stepsOf(all, range, own)}) every),
reporters as (
  select o.gpu_key, o.source_id from ${unscheduledDevicesOf(own)} o join devices d using (gpu_key)
  where ${isUnscheduled("d", range, own)} and ${notElsewhere("o", own)}),
ends as materialized (
  select source_id, last_at, ${msOf("last_at")} as last_ms from (${ends}) e),
reported_until as (
  select gpu_key, max(last_at) as last_at, max(last_ms) as last_ms from reporters join ends using (source_id) group by gpu_key),
learned_steps as (
  select gpu_key, r.last_ms as source_last_ms, s.newest_at,
    case when s.steps >= 2 then s.step_ms else (select step_ms from usual) end as step_ms
  from steps s full join reported_until r using (gpu_key)
  where s.gpu_key is not null or r.last_at >= to_timestamp(${range.firstHour}::float8 / 1000.0)),
learned_spans as (
  select s.gpu_key, s.step_ms, ${msOf("d.first_seen_at")} as first_ms,
    last.ms + coalesce(floor(greatest(0, s.source_last_ms - last.ms) / s.step_ms) * s.step_ms, 0) as last_ms,
    greatest(s.source_last_ms, last.ms) as source_ms, ${msOf("coalesce(s.newest_at, last.time)")} as newest_ms
  from learned_steps s join devices d using (gpu_key)
  cross join lateral (${newestInStore("s.gpu_key", own)}) last)`;
}

/** The CTEs of `learnedSpans`, and `learned`: what was expected of each of these devices in each hour. They follow `all_devices`, too.
 *  @param hours the hours that are asked for */
export function learnedDevices(hours: HoursParameters, range: LearnedRange, own?: OwnRows): string {
  return `${learnedSpans(range, { all: "all_devices", own })},
learned as (
  select gpu_key, h.hour_ms, step_ms, greatest(h.hour_ms, first_ms) as from_ms, least(h.hour_ms + ${coverageHourMs}, last_ms + 1) as to_ms,
    floor((least(h.hour_ms + ${coverageHourMs - 1}, last_ms) - greatest(h.hour_ms, first_ms)) / step_ms) + 1 as expected
  from learned_spans
  join generate_series(${hours.firstHour}::float8::int8, ${hours.lastHour}::float8::int8, ${coverageHourMs}) as h(hour_ms)
    on h.hour_ms + ${coverageHourMs} > first_ms and h.hour_ms <= last_ms)`;
}
