import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { type Deleted, deleteGpuHours, type RecordTable } from "./delete-gpu-hours.ts";
import { hourMs } from "../../domain/time-range.ts";

// Deletes history from its old end, hour by hour, for a store that is as large as it may be. Only for the embedded store, where no
// other transaction runs meanwhile.

/** The tables of history: records, and what they amount to. */
export type HistoryTable = RecordTable | "rollups" | "usage_hours";

/** What says something about an hour's records, and nothing without them: the column of the instant. */
const ledgerTables = {
  conflicting_values: "time",
  series_ends: "time",
  source_readings: "hour",
  source_misses: "hour",
  frozen_readings: "hour",
  unscheduled_devices: "last_at",
  // notes without records: those of records that are deleted here go with them
  unsettled: "hour",
} as const;
export type LedgerTable = keyof typeof ledgerTables;
export const ledgerTableNames = Object.keys(ledgerTables) as readonly LedgerTable[];

/** The hour (UTC) of the oldest record, milliseconds since the epoch; undefined if there are no records. */
export async function oldestHour(executor: SqlExecutor): Promise<number | undefined> {
  const text = `
select floor(extract(epoch from least((select min(time) from telemetry), (select min(from_at) from blocks)))::float8 * 1000
  / ${hourMs}) * ${hourMs} as "hourMs"`;
  return (await executor.query<{ hourMs: number | null }>(text))[0]?.hourMs ?? undefined;
}

interface DeletionStep {
  readonly beforeMs: number;
  readonly maxRows: number;
}

/** Deletes whole hours of GPUs before an instant, the oldest first: `maxRows` of a table's rows, and the rest of the last GPU's hour. */
export function deleteRecordsBefore(
  transaction: SqlTransaction,
  table: RecordTable,
  { beforeMs, maxRows }: DeletionStep,
): Promise<Deleted> {
  return deleteGpuHours(transaction, { table, before: "to_timestamp($1::float8 / 1000)", param: beforeMs, maxRows });
}

/** Deletes at most `maxRows` of the rollups of hours before an instant, the oldest first. Of hours that have records, they must stay.
 *  @returns the number of deleted rows */
export function deleteRollupsBefore(executor: SqlExecutor, step: DeletionStep): Promise<number> {
  return deleteBefore(executor, { ...step, table: "rollups", at: "from_at" });
}

/** Deletes at most `maxRows` of the rows of usage of hours before an instant, the oldest first, and their days.
 *  @returns the number of deleted rows of hours */
export async function deleteUsageBefore(executor: SqlExecutor, step: DeletionStep): Promise<number> {
  await deleteBefore(executor, { ...step, table: "usage_days", at: "from_at" });
  return deleteBefore(executor, { ...step, table: "usage_hours", at: "from_at" });
}

/** The hour (UTC) of the oldest rollup, milliseconds since the epoch; undefined if there is none. */
export async function oldestRollup(executor: SqlExecutor): Promise<number | undefined> {
  const text = `select (extract(epoch from min(from_at)) * 1000)::float8 as "hourMs" from rollups`;
  return (await executor.query<{ hourMs: number | null }>(text))[0]?.hourMs ?? undefined;
}

/** Deletes at most `maxRows` of a table's rows before an instant. @returns the number of deleted rows */
export function deleteLedgerBefore(executor: SqlExecutor, table: LedgerTable, step: DeletionStep): Promise<number> {
  return deleteBefore(executor, { ...step, table, at: ledgerTables[table] });
}

async function deleteBefore(
  executor: SqlExecutor,
  { table, at, beforeMs, maxRows }: DeletionStep & { readonly table: string; readonly at: string },
): Promise<number> {
  // by their places: by their keys, the rows are looked for in all others, because the table has no statistics
  const text = `
with deleted as (
  delete from ${table} where ctid = any(array(
    select ctid from ${table} where ${at} < to_timestamp($1::float8 / 1000) order by ${at} limit $2::int))
  returning 1
)
select count(*)::float8 as rows from deleted`;
  return (await executor.query<{ rows: number }>(text, [beforeMs, maxRows]))[0]?.rows ?? 0;
}

/** A table's size with its indexes and its TOAST table. */
export interface TableSize {
  readonly bytes: number;
  /** About how many there are. */
  readonly rows: number;
  /** The files of the table, its TOAST table and its indexes, within the folder of the database; each may have more parts. */
  readonly files: readonly string[];
}

/** Measures a table. */
export async function tableSize(executor: SqlExecutor, table: HistoryTable): Promise<TableSize> {
  const text = `
select pg_total_relation_size(c.oid)::float8 as bytes, greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)::float8 as rows, array(
    select pg_relation_filepath(f.oid) from pg_class f
    where f.oid in (c.oid, c.reltoastrelid) or f.oid in (
      select indexrelid from pg_index where indrelid in (c.oid, c.reltoastrelid)))::text[] as files
from pg_class c where c.oid = $1::text::regclass`;
  const [row] = await executor.query<{ bytes: number; rows: number; files: string[] }>(text, [table]);
  const { bytes = 0, rows = 0, files = [] } = row ?? {};
  return { bytes, rows, files };
}
