import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { systemClock } from "../../kit/clock.ts";
import { hourMs } from "../../domain/time-range.ts";

// An hour for which records still come is not settled yet: it would be settled again and again. While an hour lasts, records are
// expected; only those that come when it is over are noted, at most once a minute for each hour. It is only a matter of thrift: an
// hour that is settled too early is settled again.

/** Tells whether an hour is over, by this machine's clock. The database's may differ: an hour of which blocks exist was over by that. */
export function isOver(hour: number): boolean {
  return hour + hourMs <= systemClock.nowMs();
}

/** The database's clock went back if a note is later than now. Another transaction's `now` may differ by some seconds. */
const fromFuture = (at: string): string => `${at} > now() + interval '1 minute'`;

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
on conflict (hour) do update set first_at = least(l.first_at, excluded.first_at), last_at = excluded.last_at
where l.last_at < excluded.last_at - interval '1 minute' or ${fromFuture("l.last_at")}`;
  transaction.send(text, [numberArray(hours)]);
}

/** So long do late records keep an hour from being settled: an import may last for days. */
const unquietMax = "interval '6 hours'";

/** The maximum number of hours with records that are looked at to find those that are due. */
const hoursMax = 1000;

/** Finds hours with records that are over since `afterMs` and for which no record has come within `quietMs`, the oldest first. */
export async function selectDueHours(
  executor: SqlExecutor,
  { afterMs, quietMs }: { readonly afterMs: number; readonly quietMs: number },
): Promise<{ readonly nowMs: number; readonly hours: number[]; readonly oldestInRows: number | undefined }> {
  const hourOf = (instant: string): string =>
    `date_bin(interval '1 hour', ${instant}, timestamptz '2000-01-01 00:00:00Z')`;
  const first = (from: string): string => `(select ${hourOf("min(time)")} from telemetry where time >= ${from})`;
  // one look into the index for each hour
  const text = `
with recursive filled(hour, place) as (
  select ${first("'-infinity'")}, 1
  union all
  select ${first("hour + interval '1 hour'")}, place + 1 from filled
  where hour < now() - ($1::float8 + ${hourMs}) * interval '1 ms' and place < ${hoursMax})
select extract(epoch from now())::float8 * 1000 as "nowMs", (
  select string_agg((extract(epoch from hour)::float8 * 1000)::text, ',' order by hour) from filled f
  where hour <= now() - ($1::float8 + ${hourMs}) * interval '1 ms' and not exists (
    select from late_hours l where l.hour = f.hour and l.last_at > now() - $2::float8 * interval '1 ms'
      and not ${fromFuture("l.last_at")} and l.first_at > now() - ${unquietMax})) as hours,
  (select extract(epoch from min(hour))::float8 * 1000 from filled) as "oldestInRows"`;
  const [row] = await executor.query<DueRow>(text, [afterMs, quietMs]);
  const hours = row?.hours?.split(",").map(Number) ?? [];
  return { nowMs: row?.nowMs ?? NaN, hours, oldestInRows: row?.oldestInRows ?? undefined };
}

interface DueRow {
  readonly nowMs: number;
  readonly hours: string | null;
  readonly oldestInRows: number | null;
}

/** Forgets the hours for which no record has come for a while, and those that are settled in spite of it. */
export async function forgetLateHours(executor: SqlExecutor, settled: readonly number[]): Promise<void> {
  const text = `
delete from late_hours where hour in (
  select hour from late_hours where last_at < now() - interval '1 hour' or ${fromFuture("last_at")} or hour in (
    select to_timestamp(hour_ms / 1000.0) from unnest($1::text::float8[]) as u(hour_ms))
  order by hour for update skip locked)`;
  await executor.query(text, [numberArray(settled)]);
}
