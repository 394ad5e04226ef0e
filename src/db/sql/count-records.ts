import type { RecordCount } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";

/** Counting this many records takes at most a second; a greater number is estimated. */
const maxCounted = 1_000_000;

const countText = `
select count(*)::float8 as count from (
  select from telemetry join gpus using (gpu_key) where cluster_id = $1 limit $2::text::int) counted`;

// the table itself and its chunks, if it has any; reltuples is -1 until the table is analysed
const estimateOfAllText = `coalesce((
    select sum(greatest(reltuples, 0)) from pg_class
    where oid = 'telemetry'::regclass or oid in (select inhrelid from pg_inherits where inhparent = 'telemetry'::regclass)
  ), 0)::float8`;

const estimateText = `
select ${estimateOfAllText} * (select count(*) filter (where cluster_id = $1)::float8 / greatest(count(*), 1) from gpus) as count`;

/** Counts a cluster's records up to `exactMax`. A greater number is estimated, so that the time does not grow with the number
 *  of records. */
export async function countRecords(
  executor: SqlExecutor,
  clusterId: string,
  exactMax = maxCounted,
): Promise<RecordCount> {
  const [counted] = await executor.query<{ count: number }>(countText, [clusterId, exactMax + 1]);
  const count = counted?.count ?? 0;
  if (count <= exactMax) return { count, isEstimate: false };
  const [estimated] = await executor.query<{ count: number }>(estimateText, [clusterId]);
  return { count: Math.max(count, Math.round(estimated?.count ?? 0)), isEstimate: true };
}

/** Estimates the number of all records, without reading any; 0 if the database has not analysed the table yet. */
export async function estimateRecords(executor: SqlExecutor): Promise<number> {
  const [row] = await executor.query<{ count: number }>(`select ${estimateOfAllText} as count`);
  return row?.count ?? 0;
}
