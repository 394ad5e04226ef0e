import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import type { RecordCount } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { ownGpus, OwnRows, telemetryOf } from "./own-rows.ts";

/** Counting this many records takes at most a second; a greater number is estimated. */
const maxCounted = 1_000_000;

/** A query for the number of a cluster's records, from its rows and from what its blocks say; a greater one than the limit if more exist.
 *  Neither is read any further than up to the limit.
 *  @param limit a placeholder
 *  @param gpus the table of its GPUs */
function countText(limit: string, gpus: string, own?: OwnRows): string {
  const ofBlocks = `
  select sum(${own?.recordsOfBlock("b") ?? "b.records"}) over (rows unbounded preceding) as so_far
  from blocks b join ${gpus} using (gpu_key) where cluster_id = $1`;
  return `
select ((
    select count(*) from (
      select from ${telemetryOf(own)} t join ${gpus} using (gpu_key) where cluster_id = $1 limit ${limit}::text::int) counted)
  + coalesce(
    (select so_far from (${ofBlocks}) s where so_far >= ${limit}::text::int limit 1), (select max(so_far) from (${ofBlocks}) s), 0))::float8
  as count`;
}

// a table with its chunks, if it has any; reltuples is -1 until a table is analysed
const estimateOf = (table: string): string => `coalesce((
    select sum(greatest(reltuples, 0)) from pg_class
    where oid = '${table}'::regclass or oid in (select inhrelid from pg_inherits where inhparent = '${table}'::regclass)), 0)`;

/** So many blocks tell how many records a block has. */
const sampledBlocks = 1000;
const estimateOfAllText = `(${estimateOf("telemetry")} + ${estimateOf("blocks")} * coalesce((
    select avg(records) from (select records from blocks limit ${sampledBlocks}) sampled), 0))::float8`;

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
  const text = `with ${ownGpus(own)} ${countText("$2", "own_gpus", own)}`;
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
  const [counted] = await executor.query<{ count: number }>(countText("$2", "gpus"), [clusterId, exactMax + 1]);
  const count = counted?.count ?? 0;
  if (count <= exactMax) return { count, isEstimate: false };
  const [estimated] = await executor.query<{ count: number }>(estimateText, [clusterId]);
  return { count: Math.max(count, Math.round(estimated?.count ?? 0)), isEstimate: true };
}

/** Estimates the number of all records, without reading any of them; 0 if the database has not analysed the table yet. */
export async function estimateRecords(executor: SqlExecutor): Promise<number> {
  const [row] = await executor.query<{ count: number }>(`select ${estimateOfAllText} as count`);
  return row?.count ?? 0;
}
