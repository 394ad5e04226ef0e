import type { SqlExecutor } from "../client.ts";

/** The number of values that conflicted with another value of the same series and record. */
export async function countConflicts(executor: SqlExecutor): Promise<number> {
  const text = `
select coalesce((select sum(conflicts) from ingested_messages), 0)::float8
  + coalesce((select sum(conflicts) from folded_totals), 0)::float8 as count`;
  const rows = await executor.query<{ count: number }>(text);
  return rows[0]?.count ?? 0;
}
