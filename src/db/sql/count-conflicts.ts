import type { SqlExecutor } from "../client.ts";

/** The number of values that conflicted with another value of the same series and record. */
export async function countConflicts(executor: SqlExecutor): Promise<number> {
  const text = "select coalesce(sum(conflicts), 0)::float8 as count from ingested_messages";
  const rows = await executor.query<{ count: number }>(text);
  return rows[0]?.count ?? 0;
}
