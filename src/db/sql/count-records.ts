import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import type { RecordCount } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { ownGpus, OwnRows, telemetryOf } from "./own-rows.ts";

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

/** Counts a cluster's records within bounds. The database's estimate tells of all records: it is not used. */
async function countOwn(
  executor: SqlExecutor,
  clusterId: string,
  { within, exactMax }: { readonly within: GpuBounds; readonly exactMax: number },
): Promise<RecordCount> {
  const conditions = new Conditions([clusterId, exactMax + 1]);
  const own = new OwnRows(within, conditions);
  const text = `
with ${ownGpus(own)}
select count(*)::float8 as count from (
  select from ${telemetryOf(own)} t join own_gpus using (gpu_key) where cluster_id = $1 limit $2::text::int) counted`;
  const [counted] = await executor.query<{ count: number }>(text, conditions.params);
  const count = counted?.count ?? 0;
  return { count: Math.min(count, exactMax), isEstimate: count > exactMax };
}

/** Counts a cluster's records up to `exactMax`. A greater number is estimated, so that the time does not grow with the number
 *  of records.
 *  @param within only records within count, and a greater number is `exactMax`; undefined: all do */
export async function countRecords(
  executor: SqlExecutor,
  clusterId: string,
  { within, exactMax = maxCounted }: { readonly within?: GpuBounds | undefined; readonly exactMax?: number } = {},
): Promise<RecordCount> {
  if (within !== undefined) return countOwn(executor, clusterId, { within, exactMax });
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
