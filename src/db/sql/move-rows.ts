import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { textArray } from "./array-literal.ts";
import type { HistoryTable } from "./delete-oldest.ts";

// Moves rows from the end of a table's files into the free space before them: then VACUUM can cut the end off. Only for the embedded
// store, where no other transaction runs meanwhile.

const pageBytes = 8192;
/** So much of a table is searched in a statement for the rows of its TOAST table: about 100 ms. */
const pagesPerSearch = 2000;

/** A file of rows: that of a table, or that of its TOAST table, which has the long values. */
export interface RowFile {
  readonly table: HistoryTable;
  /** What it is the file of, as SQL text. */
  readonly relation: string;
  /** The columns whose values may be in it, as SQL text; empty if it is the table's own. */
  readonly columns: readonly string[];
  /** Its place within the folder of the database. */
  readonly path: string;
  readonly bytes: number;
}

/** The files of some tables. */
export async function rowFiles(executor: SqlExecutor, tables: readonly HistoryTable[]): Promise<RowFile[]> {
  const text = `
select c.relname as "table", f.oid::regclass::text as relation, pg_relation_filepath(f.oid) as path,
  pg_relation_size(f.oid)::float8 as bytes, array(
    select format('%I', attname) from pg_attribute
    where f.oid = c.reltoastrelid and attrelid = c.oid and attnum > 0 and not attisdropped and attlen = -1 and attstorage <> 'p'
  )::text[] as columns
from pg_class c join pg_class f on f.oid in (c.oid, c.reltoastrelid)
where c.oid = any($1::text::regclass[])`;
  return executor.query<RowFile>(text, [textArray(tables)]);
}

/** The length of a file in bytes. */
export async function fileBytes(executor: SqlExecutor, { relation }: RowFile): Promise<number> {
  const text = "select pg_relation_size($1::text::regclass)::float8 as bytes";
  return (await executor.query<{ bytes: number }>(text, [relation]))[0]?.bytes ?? 0;
}

/** The places (`ctid`) of a table's rows that have something in the last bytes of one of its files. They are valid until the rows change. */
export async function rowsAtEnd(executor: SqlExecutor, file: RowFile, endBytes: number): Promise<string[]> {
  const { table, relation, columns } = file;
  const from = pageOf(file.bytes - endBytes);
  if (columns.length === 0) return placesOf(executor, `select ctid from ${table} where ctid >= $1::text::tid`, [from]);
  const text = `
with ending as materialized (select distinct chunk_id from ${relation} where ctid >= $1::text::tid)
select ctid from ${table} where ctid >= $2::text::tid and ctid < $3::text::tid
  and (${columns.map((column) => `pg_column_toast_chunk_id(${column}) in (select chunk_id from ending)`).join(" or ")})`;
  const tableBytes = await fileBytes(executor, { ...file, relation: table });
  const searchBytes = pagesPerSearch * pageBytes;
  const places: string[] = [];
  for (let at = 0; at < tableBytes; at += searchBytes)
    places.push(...(await placesOf(executor, text, [from, pageOf(at), pageOf(at + searchBytes)])));
  return places;
}

/** Stores rows again: the database puts them into free space, the first that VACUUM has found. They stay the same to the bit.
 *  @param places as `rowsAtEnd` has them */
export async function moveRows(
  transaction: SqlTransaction,
  table: HistoryTable,
  places: readonly string[],
): Promise<void> {
  const text = `
with moved as (delete from ${table} where ctid = any($1::text::tid[]) returning *)
insert into ${table} select * from moved`;
  await transaction.query(text, [textArray(places)]);
}

function pageOf(bytes: number): string {
  return `(${Math.ceil(bytes / pageBytes)},0)`;
}

async function placesOf(executor: SqlExecutor, text: string, params: readonly string[]): Promise<string[]> {
  const rows = await executor.query<{ place: string }>(`select ctid::text as place from (${text}) found`, params);
  return rows.map(({ place }) => place);
}
