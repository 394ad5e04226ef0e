import type { SourceReading } from "../../domain/reading.ts";
import { hourOf } from "../../domain/time-range.ts";
import type { SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";

/** Readings that were missed together are counted in at most this many hours, 31 days. Coverage takes the hours before as hours that
 *  no streamer has reported. */
const hoursMax = 744;

// on conflict, every other column of the row is the sum of the old and the new one
const text = `
insert into source_readings (source_id, hour, interval_ms, first_at, last_at, due, received, late, frozen, quarantined, missed)
select $1, to_timestamp(hour_ms / 1000.0), $2::float8, to_timestamp(first_ms / 1000.0), to_timestamp(last_ms / 1000.0), due,
  case when $3::text is null then due else 0 end,
  case when $3::text is null and clock_timestamp() > to_timestamp((last_ms + $2::float8) / 1000.0) then due else 0 end,
  $4::int8, $5::int8, case when $3::text is null or due = 0 then '{}' else jsonb_build_object($3::text, due) end
from unnest($6::text::float8[], $7::text::float8[], $8::text::float8[], $9::text::int8[]) as h(hour_ms, first_ms, last_ms, due)
order by hour_ms
on conflict (source_id, hour) do update set
  interval_ms = case when excluded.last_at < source_readings.last_at then source_readings.interval_ms
    else excluded.interval_ms end,
  first_at = least(source_readings.first_at, excluded.first_at),
  last_at = greatest(source_readings.last_at, excluded.last_at),
  due = source_readings.due + excluded.due, received = source_readings.received + excluded.received,
  late = source_readings.late + excluded.late, frozen = source_readings.frozen + excluded.frozen,
  quarantined = source_readings.quarantined + excluded.quarantined,
  missed = case when excluded.missed = '{}' then source_readings.missed else source_readings.missed || jsonb_build_object(
    $3::text, coalesce((source_readings.missed ->> $3::text)::int8, 0) + excluded.due) end`;

// almost every message has one reading that was read: without arrays, its statement takes half the time
const oneHourText = `
insert into source_readings as r
  (source_id, hour, interval_ms, first_at, last_at, due, received, late, frozen, quarantined, missed)
values ($1, to_timestamp($2::float8 / 1000.0), $3::float8, to_timestamp($4::float8 / 1000.0), to_timestamp($5::float8 / 1000.0), $6, $6,
  case when clock_timestamp() > to_timestamp(($5::float8 + $3::float8) / 1000.0) then $6::int8 else 0 end, $7, $8, '{}')
on conflict (source_id, hour) do update set
  interval_ms = case when excluded.last_at < r.last_at then r.interval_ms else excluded.interval_ms end,
  first_at = least(r.first_at, excluded.first_at), last_at = greatest(r.last_at, excluded.last_at),
  due = r.due + excluded.due, received = r.received + excluded.received, late = r.late + excluded.late,
  frozen = r.frozen + excluded.frozen, quarantined = r.quarantined + excluded.quarantined`;

const missesText = `
insert into source_misses (source_id, hour, reason, spans)
select $1, to_timestamp(hour_ms / 1000.0), $2,
  tstzmultirange(tstzrange(to_timestamp(first_ms / 1000.0), to_timestamp((last_ms + $3::float8) / 1000.0)))
from unnest($4::text::float8[], $5::text::float8[], $6::text::float8[]) as h(hour_ms, first_ms, last_ms)
order by hour_ms
on conflict (source_id, hour, reason) do update set spans = source_misses.spans + excluded.spans`;

/** Adds a message's readings to the hours in which they were due.
 *  @param counts the numbers of the message's rejected inputs and frozen devices */
export function countReadings(
  transaction: SqlTransaction,
  { sourceId, reading }: { readonly sourceId: string; readonly reading: SourceReading },
  { quarantined, frozen }: { readonly quarantined: number; readonly frozen: number },
): void {
  if (reading.count === 0 && quarantined === 0 && frozen === 0) return;
  const { intervalMs, outcome, reason } = reading;
  const hours = hoursOf(reading);
  const [newest] = hours;
  if (outcome === "read" && hours.length === 1 && newest !== undefined) {
    const { hour, firstMs, lastMs, due } = newest;
    transaction.send(oneHourText, [sourceId, hour, intervalMs, firstMs, lastMs, due, frozen, quarantined]);
    return;
  }
  const fault = outcome === "read" ? null : (reason ?? "no_streamer");
  const [hourMss, firstMss, lastMss] = [
    numberArray(hours.map(({ hour }) => hour)),
    numberArray(hours.map(({ firstMs }) => firstMs)),
    numberArray(hours.map(({ lastMs }) => lastMs)),
  ];
  transaction.send(text, [
    sourceId,
    intervalMs,
    fault,
    frozen,
    quarantined,
    hourMss,
    firstMss,
    lastMss,
    numberArray(hours.map(({ due }) => due)),
  ]);
  if (fault === null || reading.count === 0) return;
  transaction.send(missesText, [sourceId, fault, intervalMs, hourMss, firstMss, lastMss]);
}

/** The readings by the hour in which they were due, the newest hour first. */
function hoursOf({ timeMs, intervalMs, count }: SourceReading) {
  const hours: { hour: number; firstMs: number; lastMs: number; due: number }[] = [];
  let [left, lastMs] = [count, timeMs];
  do {
    const hour = hourOf(lastMs);
    const due = Math.min(left, Math.floor((lastMs - hour) / intervalMs) + 1);
    hours.push({ hour, firstMs: lastMs - Math.max(0, due - 1) * intervalMs, lastMs, due });
    lastMs -= due * intervalMs;
    left -= due;
  } while (left > 0 && hours.length < hoursMax);
  return hours;
}
