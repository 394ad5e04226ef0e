import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { systemClock } from "../../kit/clock.ts";
import { hourMs } from "../../domain/time-range.ts";

// An hour for which records still come is not settled yet: it would be settled again and again. While an hour lasts, records are
// expected; only those that come when it is over are noted, at most once a minute for each hour. It is only a matter of thrift: an
// hour that is settled too early is settled again. The note stays while the hour has rows: it also tells since when the hour has been due.
//
// Records may come for an hour after its blocks were deleted because of their age. They stay rows, so that the hour is found again each
// time. Its note then says `infinity`: it rests until more records come.

/** Tells whether an hour is over, by this machine's clock. The database's may differ: an hour of which blocks exist was over by that. */
export function isOver(hour: number): boolean {
  return hour + hourMs <= systemClock.nowMs();
}

/** The database's clock went back if a note is later than now. Another transaction's `now` may differ by some seconds. */
const fromFuture = (at: string): string => `${at} > now() + interval '1 minute'`;
/** The hour rests. */
const rests = (at: string): string => `${at} = 'infinity'`;

/** Notes that records have come for hours that were over.
 *  @param hours ascending, so that transactions wait for each other in one order only */
export function noteLateHours(transaction: SqlTransaction, hours: readonly number[]): void {
  if (hours.length === 0) return;
  // an insert that conflicts would lock the row, and keep other transactions with records of the hour waiting
  const text = `
insert into late_hours as l (hour, first_at, last_at)
select h.hour, now(), now() from (select to_timestamp(hour_ms / 1000.0) as hour from unnest($1::text::float8[]) as u(hour_ms)) h
where not exists (
  select from late_hours k where k.hour = h.hour and k.last_at >= now() - interval '1 minute' and not ${fromFuture("k.last_at")}) order by 1
on conflict (hour) do update set last_at = excluded.last_at,
  first_at = case when ${fromFuture("l.last_at")} then excluded.first_at else least(l.first_at, excluded.first_at) end
where l.last_at < excluded.last_at - interval '1 minute' or ${fromFuture("l.last_at")}`;
  transaction.send(text, [numberArray(hours)]);
}

/** So long do late records keep an hour from being settled: an import may last for days. */
const unquietMax = "interval '6 hours'";

/** The maximum number of hours with records that are looked at to find those that are due. */
const hoursMax = 1000;

/** Which hours wait to be settled, milliseconds since the epoch. */
interface FoundHours {
  readonly nowMs: number;
  readonly hours: number[];
  readonly resting: number[];
  readonly dueSince: number | undefined;
  readonly oldestInRows: number | undefined;
}

/** Finds hours with records that are over since `afterMs` and for which no record has come within `quietMs`, the oldest first, and since
 *  when the first of them to become so has been. Those that rest are told apart. */
export async function selectDueHours(
  executor: SqlExecutor,
  { afterMs, quietMs }: { readonly afterMs: number; readonly quietMs: number },
): Promise<FoundHours> {
  const hourOf = (instant: string): string =>
    `date_bin(interval '1 hour', ${instant}, timestamptz '2000-01-01 00:00:00Z')`;
  const first = (from: string): string => `(select ${hourOf("min(time)")} from telemetry where time >= ${from})`;
  const ms = (instant: string): string => `extract(epoch from ${instant})::float8 * 1000`;
  const listed = (where: string): string =>
    `(select string_agg((${ms("hour")})::text, ',' order by hour) from over where ${where})`;
  // one look into the index for each hour; a note that is not from the past says nothing
  const text = `
with recursive filled(hour, place) as (
  select ${first("'-infinity'")}, 1
  union all
  select ${first("hour + interval '1 hour'")}, place + 1 from filled
  where hour < now() - ($1::float8 + ${hourMs}) * interval '1 ms' and place < ${hoursMax}),
over as (
  select f.hour, coalesce(${rests("l.last_at")}, false) as rests, greatest(
    f.hour + ($1::float8 + ${hourMs}) * interval '1 ms',
    least(l.last_at + $2::float8 * interval '1 ms', l.first_at + ${unquietMax})) as since
  from filled f left join late_hours l on l.hour = f.hour and (${rests("l.last_at")} or not ${fromFuture("l.last_at")})
  where f.hour <= now() - ($1::float8 + ${hourMs}) * interval '1 ms')
select ${ms("now()")} as "nowMs", ${listed("not rests and since <= now()")} as hours, ${listed("rests")} as resting,
  (select ${ms("min(since)")} from over where not rests and since <= now()) as "dueSince",
  (select ${ms("min(hour)")} from filled) as "oldestInRows"`;
  const [row] = await executor.query<DueRow>(text, [afterMs, quietMs]);
  const hoursIn = (list: string | null | undefined): number[] => list?.split(",").map(Number) ?? [];
  return {
    nowMs: row?.nowMs ?? NaN,
    hours: hoursIn(row?.hours),
    resting: hoursIn(row?.resting),
    dueSince: row?.dueSince ?? undefined,
    oldestInRows: row?.oldestInRows ?? undefined,
  };
}

interface DueRow {
  readonly nowMs: number;
  readonly hours: string | null;
  readonly resting: string | null;
  readonly dueSince: number | null;
  readonly oldestInRows: number | null;
}

const hoursGiven = "select to_timestamp(hour_ms / 1000.0) as hour from unnest($1::text::float8[]) as u(hour_ms)";

/** Notes that hours rest. The note of an hour for which a record is being added stays as it is. */
export async function restHours(executor: SqlExecutor, hours: readonly number[]): Promise<void> {
  if (hours.length === 0) return;
  const text = `
with given as (${hoursGiven}),
noted as (select hour from late_hours where hour in (select hour from given) order by hour for update skip locked),
changed as (update late_hours set last_at = 'infinity' where hour in (select hour from noted))
insert into late_hours (hour, first_at, last_at)
select hour, now(), 'infinity' from given g where not exists (select from late_hours l where l.hour = g.hour)
on conflict do nothing`;
  await executor.query(text, [numberArray(hours)]);
}

/** Forgets the hours that have no rows any more: those that were settled, and those for which no record has come for an hour; and notes
 *  from the future. A record that is being added may rely on a note that is not a minute old: that of a settled hour begins again. */
export async function forgetLateHours(executor: SqlExecutor, settled: readonly number[]): Promise<void> {
  const isQuiet = (interval: string): string => `(last_at < now() - interval '${interval}' or ${rests("last_at")})`;
  const text = `
with renewed as (
  update late_hours set first_at = now() where hour in (
    select hour from late_hours where not ${isQuiet("1 minute")} and hour in (${hoursGiven})
    order by hour for update skip locked))
delete from late_hours where hour in (
  select l.hour from late_hours l
  where ${fromFuture("l.last_at")} and not ${rests("l.last_at")}
    or l.hour in (
      select hour from (
        select hour from late_hours where ${isQuiet("1 minute")} and hour in (${hoursGiven})
        union all
        (select hour from late_hours where ${isQuiet("1 hour")} order by last_at limit ${hoursMax})) q
      where not exists (select from telemetry t where t.time >= q.hour and t.time < q.hour + interval '1 hour'))
  order by l.hour for update skip locked)`;
  await executor.query(text, [numberArray(settled)]);
}
