import { coverageHourMs } from "../../domain/coverage.ts";
import { msOf, scheduledBetween } from "./source-hours.ts";

/** An SQL expression: the instant of a number of milliseconds since the epoch. */
export function instantOf(ms: string): string {
  return `to_timestamp((${ms}) / 1000.0)`;
}

/** An SQL expression: the part of time from one instant up to another one, milliseconds since the epoch; empty if it would end before it
 *  begins. */
export function timeBetween(fromMs: string, toMs: string): string {
  return `tstzmultirange(tstzrange(${instantOf(fromMs)}, ${instantOf(`greatest(${fromMs}, ${toMs})`)}))`;
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
  const ended = timeBetween(`${hour}.ended_ms + 1`, `${hour}.end_ms`);
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

/** CTEs that follow `device_states`, `source_hours` and `scheduled`, of devices that had a source for a part of an hour only, were gone
 *  or under maintenance in it, or had several sources:
 *
 *  - `signatures(gpu_key, hour_ms, signature)`: devices with the same signature have missed the same readings
 *  - `signature_figures(hour_ms, signature, missed, pending, unlisted, unplaced)`: what was missed while it was expected of them */
export const partialHours = `
partial_hours as (
  select s.gpu_key, s.hour_ms, o.gone + o.maintained as off from scheduled s left join device_states o using (gpu_key)
  where s.is_partial or (o.gone + o.maintained) && ${wholeHour("s")}),
pieces as materialized (
  select h.gpu_key, h.hour_ms, h.source_id,
    ${timeBetween("greatest(h.hour_ms, h.first_ms)", "least(h.end_ms, h.until_ms)")} - coalesce(p.off, '{}') as parts
  from partial_hours p join span_hours h using (gpu_key, hour_ms)),
signatures as materialized (
  select gpu_key, hour_ms, string_agg(source_id || parts::text, ' ' order by source_id) as signature from pieces group by gpu_key, hour_ms),
piece_figures as materialized (
  select p.hour_ms, p.source_id, p.parts, f.*
  from (select distinct hour_ms, source_id, parts from pieces) p
  join source_hours h using (hour_ms, source_id)
  cross join lateral (${missedIn("p.parts", "h")}) f),
signature_figures as materialized (
  select s.hour_ms, s.signature, jsonb_agg(f.missed) as missed, sum(f.pending) as pending, sum(f.unlisted) as unlisted,
    sum(f.unplaced) as unplaced
  from (select distinct on (hour_ms, signature) * from signatures order by hour_ms, signature, gpu_key) s
  join pieces p using (gpu_key, hour_ms)
  join piece_figures f on f.hour_ms = p.hour_ms and f.source_id = p.source_id and f.parts = p.parts
  group by s.hour_ms, s.signature)`;
