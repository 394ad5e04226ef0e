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

/** Tables of what holds of a GPU from an instant until that of the GPU's next row, as long as its records are kept. */
export const spanTables = ["gpu_workloads", "gpu_reports"] as const;

/** The same; rollups need `gpu_attributes`, too. */
export type SpanTable = (typeof spanTables)[number] | "gpu_attributes";

/** What is deleted with the rows that `deleted` has. */
const goesWith: Readonly<Partial<Record<SpanTable, string>>> = {
  // what no report that is kept refers to; a report that comes again adds it again
  gpu_reports: `,
unreported as (
  delete from reported_attributes r using deleted d
  where r.gpu_key = d.gpu_key and r.attributes_id = d.attributes_id and not exists (
    select from gpu_reports o where o.gpu_key = d.gpu_key and o.attributes_id = d.attributes_id and o.valid_from >= (
      select max(valid_from) from gpu_reports h where h.gpu_key = d.gpu_key and h.valid_from <= to_timestamp($1::float8 / 1000))))`,
};

/** Deletes at most `maxRows` of a table's rows that held only before an instant. What holds at the instant stays.
 *  @returns the number of deleted rows */
export function deleteSuperseded(
  executor: SqlExecutor,
  table: SpanTable,
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
  returning *
)${goesWith[table] ?? ""}
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
  delete from quarantine where ctid = any(array(
    select place from (select ctid as place, id, seen_at from quarantine order by id limit $3::int) oldest
    where seen_at < to_timestamp($1::float8 / 1000) or id <= (select max(id) from quarantine) - $2::int))
  returning 1
)
${countDeleted}`;
  return rowsDeleted(executor, text, [beforeMs, keepRows, maxRows]);
}
