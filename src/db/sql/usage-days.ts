import { dayMs, hourMs, type TimeRange } from "../../domain/time-range.ts";
import type { PackedUsageDay } from "../../domain/usage/usage-day.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { CopyRows } from "./copy-rows.ts";
import { epochMs } from "./epoch-ms.ts";
import { hoursWithRows, withinRange } from "./hours-with-rows.ts";

/** A day as it is stored. */
export interface StoredUsageDay extends PackedUsageDay {
  readonly day: number;
  readonly fleet: string;
}

/** The hours whose usage counts for a day: besides its own, the one before and the one after it. */
export const hoursAround = (day: number): TimeRange => ({ fromMs: day - hourMs, toMs: day + dayMs + hourMs });

/** Deletes the days that the usage of an hour counts for; they are made again later. */
export function dropUsageDays(transaction: SqlTransaction, hour: number): void {
  transaction.send(
    `delete from usage_days where from_at > to_timestamp($1::float8 / 1000.0) and from_at <= to_timestamp($2::float8 / 1000.0)`,
    [hour - dayMs - hourMs, hour + hourMs],
  );
}

/** Stores a day. @returns false if it is stored already */
export function copyUsageDay(transaction: SqlTransaction, usage: StoredUsageDay): Promise<boolean> {
  const names = ["from_at", "fleet", "entries", "devices", "columns", "names"];
  const rows = new CopyRows(usage.columns.length + usage.names.length + 256);
  rows.row(names.length);
  rows.timestamptz(usage.day);
  rows.text(Buffer.from(usage.fleet));
  rows.int4(usage.entries);
  rows.int4(usage.devices);
  rows.bytea(usage.columns);
  rows.text(Buffer.from(usage.names));
  return transaction.copy(`usage_days (${names.join(", ")})`, rows.end());
}

/** The days of a range that are stored, and what they were made with, by their beginnings. */
export async function selectUsageDays(
  executor: SqlExecutor,
  { fromMs, toMs }: TimeRange,
): Promise<ReadonlyMap<number, string>> {
  const text = `
select ${epochMs("from_at")} as day, fleet from usage_days
where ${withinRange("from_at")}`;
  const rows = await executor.query<{ day: number; fleet: string }>(text, [fromMs, toMs]);
  return new Map(rows.map(({ day, fleet }) => [day, fleet]));
}

/** The beginnings of all days that are stored, in the order of time. */
export async function selectStoredDays(executor: SqlExecutor): Promise<readonly number[]> {
  const rows = await executor.query<{ day: number }>(
    `select ${epochMs("from_at")} as day from usage_days order by from_at`,
  );
  return rows.map(({ day }) => day);
}

/** Reads days, in the order of time; those that were deleted meanwhile are missing. */
export function readUsageDays(executor: SqlExecutor, days: readonly number[]): Promise<StoredUsageDay[]> {
  const text = `
select ${epochMs("from_at")} as day, fleet, entries, devices, columns, names::text as names from usage_days
where from_at in (select to_timestamp(d / 1000.0) from unnest($1::text::float8[]) d) order by from_at`;
  return executor.query<StoredUsageDay>(text, [numberArray(days)]);
}

/** The hours of a range whose usage may change when they are settled: some records of theirs are rows. */
export async function selectOpenHours(executor: SqlExecutor, { fromMs, toMs }: TimeRange): Promise<readonly number[]> {
  const text = `
select ${epochMs("h.hour")} as hour from (${hoursWithRows("telemetry", "time")}) h
union select ${epochMs("n.hour")} from unsettled n where ${withinRange("n.hour")}`;
  return (await executor.query<{ hour: number }>(text, [fromMs, toMs])).map(({ hour }) => hour);
}

/** The first and the last hour with usage, and the present time of the database; undefined if there is no usage. */
export async function selectUsageSpan(
  executor: SqlExecutor,
): Promise<(TimeRange & { readonly nowMs: number }) | undefined> {
  const text = `
select ${epochMs("min(from_at)")} as "fromMs", ${epochMs("max(from_at)")} as "toMs", ${epochMs("now()")} as "nowMs" from usage_hours`;
  const [row] = await executor.query<{ fromMs: number | null; toMs: number; nowMs: number }>(text);
  return row === undefined || row.fromMs === null ? undefined : { ...row, fromMs: row.fromMs };
}

/** A text that differs if any usage of these hours has been written in between. */
export async function selectUsageMark(executor: SqlExecutor, { fromMs, toMs }: TimeRange): Promise<string> {
  const text = `
select coalesce(md5(string_agg(concat_ws(' ', from_at, first_key, xmin), ',' order by from_at, first_key)), '') as mark from usage_hours
where ${withinRange("from_at")}`;
  return (await executor.query<{ mark: string }>(text, [fromMs, toMs]))[0]?.mark ?? "";
}

/** Deletes a day, and rows that begin within it. */
export function deleteUsageDay(transaction: SqlTransaction, day: number): void {
  transaction.send(`delete from usage_days where ${withinRange("from_at")}`, [day, day + dayMs]);
}
