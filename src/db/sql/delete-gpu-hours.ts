import type { SqlTransaction } from "../client.ts";
import { bucketOf } from "./rollup-source.ts";

// Records are deleted by whole hours of GPUs. If a part of an hour remained, settling would replace the hour's rollup by what the part
// amounts to. For the same reason, the note that a rollup is stale goes in the transaction in which its records go: the rollup then
// counts as it was before the late record.

/** The tables of records: the column of the instant, and how many records a row has. */
const recordTables = {
  telemetry: { at: "time", records: "1" },
  blocks: { at: "from_at", records: "records" },
} as const;
export type RecordTable = keyof typeof recordTables;
export const recordTableNames = Object.keys(recordTables) as readonly RecordTable[];

/** Rows that were deleted, and the records in them. */
export interface Deleted {
  readonly rows: number;
  readonly records: number;
}

/** An SQL expression. With these settings, until the end of the transaction, the server finds the oldest rows by the index on the time, and
 *  those of a GPU's hour by its key. Without statistics, as in the embedded database, it may otherwise sort or compare all rows. */
const findByIndex = [
  ...["sort", "seqscan", "bitmapscan", "hashjoin", "mergejoin", "material"].map((name) => [`enable_${name}`, "off"]),
  ["plan_cache_mode", "force_custom_plan"],
]
  .map(([name, value]) => `set_config('${name}', '${value}', true)`)
  .join(", ");

/** What is deleted. */
interface OldHours {
  readonly table: RecordTable;
  /** An SQL expression with the parameter `$1`: the hours that ended by then are old. */
  readonly before: string;
  readonly param: number;
  /** What must also be true of a row `r` of the table; it is true of all rows of a GPU's hour, or of none. */
  readonly also?: string;
  /** The last hour of a GPU that is begun is deleted as a whole, and so may make it more. */
  readonly maxRows: number;
}

/** Deletes the records of hours of GPUs, and the notes that their rollups are stale, the oldest first. Not for a hypertable, whose chunks
 *  are dropped. Blocks of which another transaction makes rows are left to it.
 *  @returns what was deleted: less than `maxRows` rows if nothing else is old */
export async function deleteGpuHours(transaction: SqlTransaction, hours: OldHours): Promise<Deleted> {
  transaction.send(`select ${findByIndex}`);
  const { records } = recordTables[hours.table];
  const { chosen, deletion } = hours.table === "blocks" ? blocksOf(hours) : rowsOf(hours);
  const text = `
with ${chosen},
ended as (delete from unsettled u using whole w where u.hour = w.hour and u.gpu_key = w.gpu_key),
deleted as (${deletion} returning ${records} as records)
select count(*)::float8 as rows, coalesce(sum(records), 0)::float8 as records from deleted`;
  const [deleted] = await transaction.query<Deleted>(text, [hours.param, hours.maxRows]);
  return deleted ?? { rows: 0, records: 0 };
}

/** SQL for the parts of a statement. */
interface Parts {
  /** Queries, the last of which, `whole`, has the hours of GPUs that are deleted. */
  readonly chosen: string;
  readonly deletion: string;
}

function rowsOf(hours: OldHours): Parts {
  return {
    chosen: dueHours(hours, { name: "whole", lock: "" }),
    // by the keys: a row that another transaction is changing meanwhile is deleted, too
    deletion: `delete from telemetry r using whole w where ${ofHour("w", "time")}`,
  };
}

/** Two transactions that take the same blocks wait for each other in no order. So those that another one has are passed over, and with them
 *  the other blocks of the GPU's hour. */
function blocksOf(hours: OldHours): Parts {
  const lock = "for update skip locked";
  const chosen = `${dueHours(hours, { name: "due", lock })},
locked as materialized (
  select d.hour, d.gpu_key, l.places from due d cross join lateral (
    select array_agg(r.ctid) as places from (
      select r.ctid from blocks r where ${ofHour("d", "from_at")} ${lock}) r) l),
whole as materialized (
  select l.hour, l.gpu_key, l.places from locked l
  where cardinality(l.places) = (select count(*) from blocks r where ${ofHour("l", "from_at")}))`;
  return { chosen, deletion: "delete from blocks r where r.ctid = any(array(select unnest(places) from whole))" };
}

/** Finds the GPUs' hours of the oldest rows, and of these as many as have `maxRows` rows. */
function dueHours(
  { table, before, also = "true" }: OldHours,
  { name, lock }: { readonly name: string; readonly lock: string },
): string {
  const { at } = recordTables[table];
  return `
first as materialized (
  select r.gpu_key, ${bucketOf("1h", `r.${at}`)} as hour from ${table} r
  where r.${at} < ${bucketOf("1h", before)} and ${also} order by r.${at} limit $2::int ${lock}),
old as materialized (select distinct hour, gpu_key from first order by hour, gpu_key),
${name} as materialized (
  select distinct hour, gpu_key from (
    select o.hour, o.gpu_key
    from old o cross join lateral (select from ${table} r where ${ofHour("o", at)} offset 0) r limit $2::int) begun)`;
}

/** @param hour what has the columns `hour` and `gpu_key` */
function ofHour(hour: string, at: string): string {
  return `r.gpu_key = ${hour}.gpu_key and r.${at} >= ${hour}.hour and r.${at} < ${hour}.hour + interval '1 hour'`;
}
