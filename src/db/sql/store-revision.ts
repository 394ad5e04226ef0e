import type { SqlExecutor } from "../client.ts";

/** Reads a text that differs after any transaction that has written. It also differs after those of other databases on the server.
 *  A standby does not list the transactions under way; what it has replayed says as much.
 *  Source: https://www.postgresql.org/docs/17/functions-info.html#FUNCTIONS-INFO-SNAPSHOT */
export async function selectRevision(executor: SqlExecutor): Promise<string> {
  const text = `
select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()::text else pg_current_snapshot()::text end as revision`;
  const [row] = await executor.query<{ readonly revision: string }>(text);
  return row?.revision ?? "";
}
