import type { SqlExecutor } from "../client.ts";

// What a PostgreSQL server does by itself in the background, and the embedded database does not: it has neither the autovacuum
// launcher nor the checkpointer. Dead rows stay, and the write-ahead log grows until the database is closed.

/** The tables, including those of the system, of which a tenth is dead rows, or a fifth was added since the last VACUUM: a VACUUM also
 *  counts the rows, and marks the pages that the next one need not read. A server begins at a fifth of dead rows, but a table that is
 *  vacuumed early keeps a small file. A row of upload_parts takes up to a MiB, so a single one is enough. */
export async function tablesToVacuum(executor: SqlExecutor): Promise<string[]> {
  const text = `
select s.relid::regclass::text as name
from pg_stat_all_tables s join pg_class c on c.oid = s.relid
where c.relkind in ('r', 'm') and (s.relname = 'upload_parts' and s.n_dead_tup > 0 or s.n_dead_tup > 1000 + 0.1 * greatest(c.reltuples, 0)
  or s.n_ins_since_vacuum > 10000 + 0.2 * greatest(c.reltuples, 0))
order by s.n_dead_tup desc`;
  return (await executor.query<{ name: string }>(text)).map(({ name }) => name);
}

/** The size of each of the program's own tables in bytes, with its indexes and its TOAST table. */
export async function tableBytes(executor: SqlExecutor): Promise<ReadonlyMap<string, number>> {
  const text = `
select relname as name, pg_total_relation_size(oid)::float8 as bytes
from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname`;
  const rows = await executor.query<{ name: string; bytes: number }>(text);
  return new Map(rows.map(({ name, bytes }) => [name, bytes]));
}

/** Makes the space of a table's dead rows free for new rows, and cuts free space off at the end of its file.
 *  @param table its name as SQL text, such as `pg_catalog.pg_class` */
export async function vacuum(executor: SqlExecutor, table: string): Promise<void> {
  await executor.query(`vacuum (index_cleanup on) ${table}`);
}

/** Writes a whole table again, without free space. It needs as much space as the live rows take, also in temporary files. */
export async function rewrite(executor: SqlExecutor, table: string): Promise<void> {
  const [setting] = await executor.query<{ limit: string }>("select current_setting('temp_file_limit') as limit");
  await executor.query("set temp_file_limit = -1");
  try {
    await executor.query(`vacuum (full) ${table}`);
  } finally {
    // unless the database has ended, which starts with its setting again
    await executor.query(`set temp_file_limit = '${setting?.limit}'`).catch(() => undefined);
  }
}

/** Writes the changed pages to the tables' files, and deletes the part of the write-ahead log that is not needed any more. */
export async function checkpoint(executor: SqlExecutor): Promise<void> {
  // the setting is of the session; otherwise, old files of the log are kept for later, as many as it ever had
  await executor.query("set wal_recycle = off");
  await executor.query("checkpoint");
}
