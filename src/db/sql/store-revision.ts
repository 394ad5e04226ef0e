import type { SqlExecutor } from "../client.ts";

/** Reads a text that differs after any transaction that has written. It also differs after those of other databases on the server.
 *  A standby does not list the transactions under way; what it has replayed says as much. The time of the server's start is in the text
 *  because a server that takes over, or is restored, may give a snapshot the id that the lost one had given to another.
 *  Source: https://www.postgresql.org/docs/17/functions-info.html#FUNCTIONS-INFO-SNAPSHOT */
export async function selectRevision(executor: SqlExecutor): Promise<string> {
  const text = `
select concat_ws(' ', extract(epoch from pg_postmaster_start_time()),
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn()::text else pg_current_snapshot()::text end) as revision`;
  const [row] = await executor.query<{ readonly revision: string }>(text);
  return row?.revision ?? "";
}
