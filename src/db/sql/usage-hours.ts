import type { PackedUsage } from "../../domain/usage/packed-usage.ts";
import type { TimeRange } from "../../domain/time-range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { CopyRows } from "./copy-rows.ts";
import { epochMs } from "./epoch-ms.ts";
import { numberArray } from "./array-literal.ts";
import { hoursWithRows, withinRange } from "./hours-with-rows.ts";
import { dropUsageDays } from "./usage-days.ts";

/** The usage of devices in an hour, as it is stored. */
export interface StoredUsage extends PackedUsage {
  readonly hour: number;
  /** The least and the greatest key of its devices. */
  readonly firstKey: number;
  readonly lastKey: number;
}

const names = ["from_at", "first_key", "last_key", "devices", "spans", "columns", "holders"];

/** Adds usage. @throws Error if there is some of the same hour and first key */
export async function copyUsage(transaction: SqlTransaction, usage: readonly StoredUsage[]): Promise<void> {
  if (usage.length === 0) return;
  const rows = new CopyRows(usage.length * 32_768);
  for (const { hour, firstKey, lastKey, devices, spans, columns, holders } of usage) {
    rows.row(names.length);
    rows.timestamptz(hour);
    rows.int8(firstKey);
    rows.int8(lastKey);
    rows.int4(devices);
    rows.int4(spans);
    rows.bytea(columns);
    rows.text(Buffer.from(holders));
  }
  for (const hour of new Set(usage.map((row) => row.hour))) dropUsageDays(transaction, hour);
  const isAdded = await transaction.copy(`usage_hours (${names.join(", ")})`, rows.end());
  if (!isAdded) throw new Error(`usage of ${new Date(usage[0]?.hour ?? NaN).toISOString()} exists already`);
}

const selected = `
${epochMs("u.from_at")} as hour, u.first_key::float8 as "firstKey", u.last_key::float8 as "lastKey", u.devices, u.spans, u.columns,
  u.holders::text as holders`;

/** The devices of an hour between two keys. */
export interface UsageBounds {
  readonly hour: number;
  readonly firstKey: number;
  readonly lastKey: number;
}

/** Deletes the usage of an hour that may be of devices between two keys, and returns it. */
export function takeUsage(
  transaction: SqlTransaction,
  { hour, firstKey, lastKey }: UsageBounds,
): Promise<StoredUsage[]> {
  dropUsageDays(transaction, hour);
  const text = `
delete from usage_hours u where u.from_at = to_timestamp($1::float8 / 1000.0) and u.first_key <= $3::text::int8
  and u.last_key >= $2::text::int8 returning ${selected}`;
  return transaction.query<StoredUsage>(text, [hour, String(firstKey), String(lastKey)]);
}

/** Reads the sizes of the last rows of an hour whose devices have smaller keys than one, the nearest first.
 *  @param limit their maximum number */
export function selectUsageBefore(
  transaction: SqlTransaction,
  { hour, gpuKey, limit }: { readonly hour: number; readonly gpuKey: number; readonly limit: number },
): Promise<{ readonly firstKey: number; readonly devices: number }[]> {
  const text = `
select first_key::float8 as "firstKey", devices from usage_hours where from_at = to_timestamp($1::float8 / 1000.0)
  and first_key < $2::text::int8 and last_key < $2::text::int8 order by first_key desc limit $3::int`;
  return transaction.query(text, [hour, String(gpuKey), limit]);
}

/** An hour of which some devices have records that the usage may lack: `stale`, that of the device does not count; `records`, some devices
 *  have records in rows or blocks. */
export interface OpenUsage {
  readonly kind: "stale" | "records";
  readonly hour: number;
  /** Null for `records`. */
  readonly gpuKey: number | null;
}

/** Reads the usage of whole hours, and what it may lack, by one statement, and so from one snapshot.
 *  @param gpuKeys undefined: all devices */
export async function selectUsage(
  executor: SqlExecutor,
  { fromMs, toMs }: TimeRange,
  gpuKeys: readonly number[] | undefined,
): Promise<{ readonly stored: readonly StoredUsage[]; readonly open: readonly OpenUsage[] }> {
  const ofKeys =
    gpuKeys === undefined
      ? ""
      : "and exists (select from unnest($3::text::int8[]) k where k between u.first_key and u.last_key)";
  const recordsIn = (hours: string): string =>
    `select 'records', ${epochMs("h.hour")}, null, null, null, null, null, null, null from (${hours}) h`;
  const text = `
select 'stored' as kind, ${epochMs("u.from_at")} as hour, null::float8 as "gpuKey", u.first_key::float8 as "firstKey",
  u.last_key::float8 as "lastKey", u.devices, u.spans, u.columns, u.holders::text as holders
from usage_hours u where ${withinRange("u.from_at")} ${ofKeys}
union all
select 'stale', ${epochMs("n.hour")}, n.gpu_key::float8, null, null, null, null, null, null from unsettled n where ${withinRange("n.hour")}
union all ${recordsIn(hoursWithRows("telemetry", "time"))}
union all ${recordsIn(hoursWithRows("blocks", "from_at"))}`;
  const params = [fromMs, toMs, ...(gpuKeys === undefined ? [] : [numberArray(gpuKeys)])];
  const rows = await executor.query<OpenUsage | (StoredUsage & { readonly kind: "stored" })>(text, params);
  return {
    stored: rows.filter((row) => row.kind === "stored"),
    open: rows.filter((row) => row.kind !== "stored"),
  };
}

/** Finds the next hour (UTC) that has usage. @param fromMs the hour or a later one; -Infinity: the first one */
export async function selectNextUsageHour(executor: SqlExecutor, fromMs: number): Promise<number | undefined> {
  const text = `select ${epochMs("min(from_at)")} as hour from usage_hours where from_at >= to_timestamp($1::text::float8 / 1000.0)`;
  return (await executor.query<{ hour: number | null }>(text, [String(fromMs)]))[0]?.hour ?? undefined;
}

/** Deletes a row of usage. */
export function deleteUsage(transaction: SqlTransaction, { hour, firstKey }: StoredUsage): void {
  dropUsageDays(transaction, hour);
  transaction.send(
    "delete from usage_hours where from_at = to_timestamp($1::float8 / 1000.0) and first_key = $2::text::int8",
    [hour, String(firstKey)],
  );
}
