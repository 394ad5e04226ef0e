import type { SqlExecutor } from "../client.ts";
import { hourMs } from "../../domain/time-range.ts";

// Deletes history from its old end, hour by hour, for a store that is as large as it may be. Only for the embedded store, where no
// other transaction runs meanwhile.

/** The tables of records: the column of the instant, and how many records a row has. */
const recordTables = {
  telemetry: { at: "time", records: "1" },
  blocks: { at: "from_at", records: "records" },
} as const;
export type RecordTable = keyof typeof recordTables;
/** The tables of history: records, and what they amount to. */
export type HistoryTable = RecordTable | "rollups";
export const recordTableNames = Object.keys(recordTables) as readonly RecordTable[];

/** What says something about an hour's records, and nothing without them: the column of the instant. */
const ledgerTables = {
  conflicting_values: "time",
  source_readings: "hour",
  source_misses: "hour",
  frozen_readings: "hour",
  unscheduled_devices: "last_at",
  // the summary of an hour counts again when its late records are deleted
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

/** Rows that were deleted, and the records in them. */
export interface Deleted {
  readonly rows: number;
  readonly records: number;
}

interface DeletionStep {
  readonly beforeMs: number;
  readonly maxRows: number;
}

/** Deletes at most `maxRows` of a table's rows before an instant, the oldest first. */
export async function deleteRecordsBefore(
  executor: SqlExecutor,
  table: RecordTable,
  step: DeletionStep,
): Promise<Deleted> {
  const { at, records } = recordTables[table];
  return deleteBefore(executor, { ...step, table, at, records });
}

/** Deletes at most `maxRows` of the rollups of hours before an instant, the oldest first. Of hours that have records, they must stay.
 *  @returns the number of deleted rows */
export async function deleteRollupsBefore(executor: SqlExecutor, step: DeletionStep): Promise<number> {
  return (await deleteBefore(executor, { ...step, table: "rollups", at: "from_at", records: "0" })).rows;
}

/** The hour (UTC) of the oldest rollup, milliseconds since the epoch; undefined if there is none. */
export async function oldestRollup(executor: SqlExecutor): Promise<number | undefined> {
  const text = `select (extract(epoch from min(from_at)) * 1000)::float8 as "hourMs" from rollups`;
  return (await executor.query<{ hourMs: number | null }>(text))[0]?.hourMs ?? undefined;
}

/** Deletes at most `maxRows` of a table's rows before an instant. @returns the number of deleted rows */
export async function deleteLedgerBefore(
  executor: SqlExecutor,
  table: LedgerTable,
  step: DeletionStep,
): Promise<number> {
  return (await deleteBefore(executor, { ...step, table, at: ledgerTables[table], records: "0" })).rows;
}

async function deleteBefore(
  executor: SqlExecutor,
  what: DeletionStep & { readonly table: string; readonly at: string; readonly records: string },
): Promise<Deleted> {
  const { table, at, records, beforeMs, maxRows } = what;
  // by their places: by their keys, the rows are looked for in all others, because the table has no statistics
  const text = `
with deleted as (
  delete from ${table} where ctid = any(array(
    select ctid from ${table} where ${at} < to_timestamp($1::float8 / 1000) order by ${at} limit $2::int))
  returning ${records} as records
)
select count(*)::float8 as rows, coalesce(sum(records), 0)::float8 as records from deleted`;
  const [deleted] = await executor.query<Deleted>(text, [beforeMs, maxRows]);
  return deleted ?? { rows: 0, records: 0 };
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
