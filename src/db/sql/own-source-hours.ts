import type { OwnRows } from "./own-rows.ts";
import { missedIn, rangeBetween, scheduledIn } from "./missed-parts.ts";

/** The hours of sources that a coverage by target reads: all of them, or those by the CTEs of `ownSourceHours`. */
export function sourceHoursOf(own: OwnRows | undefined): string {
  return own === undefined ? "source_hours" : "own_source_hours";
}

const columns = [
  ...["source_id", "hour_ms", "end_ms", "interval_ms", "devices", "ended_ms", "pending_from_ms", "pending_to_ms"],
  ...["due", "pending", "unlisted", "received", "late", "frozen", "quarantined", "missed", "is_unreported"],
];
const shown = (names: readonly string[], alias: string): string => names.map((name) => `${alias}.${name}`).join(", ");

/** CTEs that follow `span_hours`: `own_source_hours`, as `source_hours`, of the times in which one of the source's devices was within. The
 *  ledger has the figures of whole hours. Of a part of an hour, readings were due by the schedule; those of which nothing else is known
 *  were received, and as large a part of them was late as of those of the hour. */
export const ownSourceHours = `
source_parts as (
  select source_id, hour_ms, range_agg(${rangeBetween("greatest(hour_ms, first_ms)", "least(end_ms, until_ms)")}) as parts,
    (array_agg(phase_ms order by first_ms, gpu_key))[1] as phase_ms
  from span_hours group by source_id, hour_ms),
parted_hours as (
  select h.*, m.missed as missed_in, m.placed, m.pending as pending_in, m.unlisted as unlisted_in, m.unplaced,
    ${scheduledIn("h.parts", "h")} as due_in
  from (
    select ${shown(columns, "x")}, p.phase_ms, p.parts,
      not x.is_unreported and p.parts @> ${rangeBetween("x.hour_ms", "x.end_ms")} as is_whole
    from source_parts p join source_hours x on x.source_id || x.hour_ms = p.source_id || p.hour_ms) h
  cross join lateral (${missedIn("h.parts", "h")}) m),
received_hours as (
  select h.*, greatest(0, due_in - placed - pending_in - unlisted_in - unplaced) as received_in from parted_hours h),
own_source_hours as (
  select ${shown(columns.slice(0, 8), "h")}, h.phase_ms,
    case when is_whole then due else due_in - pending_in - unlisted_in end as due,
    case when is_whole then pending else pending_in end as pending, case when is_whole then unlisted else unlisted_in end as unlisted,
    case when is_whole then received else received_in end as received,
    case when is_whole then late when received = 0 then 0 else ceil(received_in * least(1, late / received)) end as late,
    frozen, quarantined, case when is_whole then missed else missed_in end as missed
  from received_hours h)`;
