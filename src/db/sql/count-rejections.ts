import type { SqlExecutor } from "../client.ts";

/** Counts rejected inputs by reason. */
export async function countRejections(executor: SqlExecutor): Promise<Record<string, number>> {
  const text = 'select reason, count(*)::float8 as count from quarantine group by reason order by reason collate "C"';
  const rows = await executor.query<{ reason: string; count: number }>(text);
  return Object.fromEntries(rows.map(({ reason, count }) => [reason, count]));
}
