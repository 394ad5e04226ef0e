import type { SqlExecutor } from "../client.ts";

/** The instant so many days ago by the database's clock, milliseconds since the epoch. @param days 0: the epoch */
export async function msDaysAgo(executor: SqlExecutor, days: number): Promise<number> {
  if (days === 0) return 0;
  const text = "select extract(epoch from now() - make_interval(days => $1::int))::float8 * 1000 as ms";
  return (await executor.query<{ ms: number }>(text, [days]))[0]?.ms ?? 0;
}

const countDeleted = "select count(*)::float8 as rows from deleted";

async function rowsDeleted(executor: SqlExecutor, text: string, params: readonly unknown[]): Promise<number> {
  return (await executor.query<{ rows: number }>(text, params))[0]?.rows ?? 0;
}

/** Tables of what holds of a GPU from an instant until that of the GPU's next row. */
export const spanTables = ["gpu_workloads", "gpu_reports"] as const;

/** Deletes at most `maxRows` of a table's rows that held only before an instant. What holds at the instant stays.
 *  @returns the number of deleted rows */
export function deleteSuperseded(
  executor: SqlExecutor,
  table: (typeof spanTables)[number],
  { beforeMs, maxRows }: { readonly beforeMs: number; readonly maxRows: number },
): Promise<number> {
  const text = `
with deleted as (
  delete from ${table} where ctid = any(array(
    select s.ctid from ${table} s
    where s.valid_from < to_timestamp($1::float8 / 1000) and exists (
      select from ${table} n where n.gpu_key = s.gpu_key and n.valid_from > s.valid_from
        and n.valid_from <= to_timestamp($1::float8 / 1000))
    limit $2::int))
  returning 1
)
${countDeleted}`;
  return rowsDeleted(executor, text, [beforeMs, maxRows]);
}

/** Deletes at most `maxRows` of the oldest inputs in quarantine: those that were put there before an instant, and those that more than
 *  `keepRows` others follow. @returns the number of deleted rows */
export function deleteOldQuarantine(
  executor: SqlExecutor,
  { beforeMs, keepRows, maxRows }: { readonly beforeMs: number; readonly keepRows: number; readonly maxRows: number },
): Promise<number> {
  const text = `
with deleted as (
  delete from quarantine where id in (
    select id from (select id, seen_at from quarantine order by id limit $3::int) oldest
    where seen_at < to_timestamp($1::float8 / 1000) or id <= (select max(id) from quarantine) - $2::int)
  returning 1
)
${countDeleted}`;
  return rowsDeleted(executor, text, [beforeMs, keepRows, maxRows]);
}
