import type { SqlExecutor } from "../client.ts";

/** Any number, the same for every process of this program. */
const retentionLock = 7_165_201_386;

/** @returns false while another transaction has it; it ends with this one */
export async function tryRetentionLock(executor: SqlExecutor): Promise<boolean> {
  const text = `select pg_try_advisory_xact_lock(${retentionLock}) as locked`;
  return (await executor.query<{ locked: boolean }>(text))[0]?.locked === true;
}

/** Drops the chunks of a hypertable or continuous aggregate of which every row is older.
 *  @returns how many */
export async function dropOldChunks(
  executor: SqlExecutor,
  { timescaleSchema, table, days }: { readonly timescaleSchema: string; readonly table: string; readonly days: number },
): Promise<number> {
  const text = `
select count(*)::int as dropped
from "${timescaleSchema}".drop_chunks('${table}', older_than => now() - make_interval(days => $1::int))`;
  return (await executor.query<{ dropped: number }>(text, [days]))[0]?.dropped ?? 0;
}

/** Deletes records that are older, the oldest first. @returns how many */
export async function deleteOldRows(executor: SqlExecutor, days: number, rowsMax: number): Promise<number> {
  const text = `
with gone as (
  delete from telemetry where (gpu_key, time) in (
    select gpu_key, time from telemetry where time < now() - make_interval(days => $1::int) order by time limit $2::int)
  returning 1
)
select count(*)::int as deleted from gone`;
  return (await executor.query<{ deleted: number }>(text, [days, rowsMax]))[0]?.deleted ?? 0;
}
