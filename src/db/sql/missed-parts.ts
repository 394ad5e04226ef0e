import { coverageHourMs } from "../../domain/coverage.ts";
import { msOf, scheduledBetween } from "./source-hours.ts";

/** An SQL expression: the instant of a number of milliseconds since the epoch. */
function instantOf(ms: string): string {
  return `to_timestamp((${ms}) / 1000.0)`;
}

/** An SQL expression: the part of time from one instant up to another one, milliseconds since the epoch; empty if it would end before it
 *  begins. */
function timeBetween(fromMs: string, toMs: string): string {
  return `tstzmultirange(${rangeBetween(fromMs, toMs)})`;
}

/** As `timeBetween`, as a range. */
export function rangeBetween(fromMs: string, toMs: string): string {
  return `tstzrange(${instantOf(fromMs)}, ${instantOf(`greatest(${fromMs}, ${toMs})`)})`;
}

/** An SQL expression: the whole hour of a row with `hour_ms`. */
export function wholeHour(alias: string): string {
  return timeBetween(`${alias}.hour_ms`, `${alias}.hour_ms + ${coverageHourMs}`);
}

/** An SQL expression: the number of scheduled times in parts of time. @param alias a row of `source_hours` */
export function scheduledIn(parts: string, alias: string): string {
  const each = scheduledBetween(msOf("lower(part)"), msOf("upper(part)"), alias);
  return `coalesce((select sum(${each}) from unnest(${parts}) as part), 0)`;
}

/** A lateral query: what was missed in parts of an hour of a source.
 *
 *  - `missed`: reason -> readings that were due in the parts; `placed`, their sum
 *  - `pending`, `unlisted`: as in `source_hours`, in the parts
 *  - `unplaced`: missed readings of the hour of which it was not kept when they were due
 *  @param parts a multirange
 *  @param hour alias of a row of `source_hours` */
export function missedIn(parts: string, hour: string): string {
  const ended = timeBetween(`coalesce(${hour}.ended_ms + 1, ${hour}.hour_ms)`, `${hour}.end_ms`);
  return `
  select coalesce(jsonb_object_agg(reason, inside) filter (where inside > 0), '{}') as missed, coalesce(sum(inside), 0) as placed,
    ${scheduledIn(`${parts} * ${timeBetween(`${hour}.pending_from_ms`, `${hour}.pending_to_ms`)}`, hour)} as pending,
    case when ${hour}.unlisted = 0 then 0 else least(${hour}.unlisted, ${scheduledIn(`${parts} * ${ended}`, hour)}) end as unlisted,
    greatest(0, (select coalesce(sum(n::float8), 0) from jsonb_each_text(${hour}.missed) as every(r, n)) - coalesce(sum(whole), 0))
      as unplaced
  from (
    select m.reason, ${scheduledIn(`m.spans * ${parts}`, hour)} as inside, ${scheduledIn(`m.spans * ${wholeHour(hour)}`, hour)} as whole
    from source_misses m where m.source_id = ${hour}.source_id and m.hour = ${instantOf(`${hour}.hour_ms`)}) misses`;
}

/** CTEs that follow `device_states`, `source_hours` and `scheduled`:
 *
 *  - `signed`: `scheduled` with a signature where a device had its source for a part of the hour only, was gone or under maintenance, or
 *    had several sources. Devices with the same signature have missed the same readings
 *  - `signature_figures(hour_ms, signature, missed, pending, unlisted, unplaced)`: what was missed while it was expected of them
 *
 *  Nothing is joined by two columns here: the planner would compare every device with every hour. */
export const partialHours = `
signed as materialized (
  select s.*, coalesce(o.gone + o.maintained, '{}') as off,
    case when s.is_partial or (o.gone + o.maintained) && ${wholeHour("s")} then (
      select string_agg(x.source_id || (${timeBetween("x.from_ms", "x.to_ms")} - coalesce(o.gone + o.maintained, '{}'))::text, ' ')
      from unnest(s.source_ids, s.from_times, s.to_times) as x(source_id, from_ms, to_ms)) end as signature
  from scheduled s left join device_states o using (gpu_key)),
signature_figures as materialized (
  select s.hour_ms, s.signature, jsonb_agg(f.missed) as missed, sum(f.pending) as pending, sum(f.unlisted) as unlisted,
    sum(f.unplaced) as unplaced
  from (select distinct on (hour_ms, signature) * from signed where signature is not null order by hour_ms, signature) s
  cross join lateral (
    select source_id, range_agg(${rangeBetween("from_ms", "to_ms")}) as parts
    from unnest(s.source_ids, s.from_times, s.to_times) as x(source_id, from_ms, to_ms) group by source_id) x
  join source_hours h on h.source_id || h.hour_ms = x.source_id || s.hour_ms
  cross join lateral (${missedIn("(x.parts - s.off)", "h")}) f
  group by s.hour_ms, s.signature)`;
