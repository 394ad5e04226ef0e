import type { GpuFilter, StoredGpu } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { attributeColumns } from "../gpu-columns.ts";
import { Conditions } from "./conditions.ts";

/** GPUs in the order of lists. */
export const gpuOrder = "g.hostname, g.gpu_id, g.uuid";

/** Conditions on `gpus g`. */
export function ofGpu({ clusterId, hostname, gpuId, modelName, uuid }: GpuFilter): Conditions {
  return new Conditions()
    .add("g.cluster_id = ?", clusterId)
    .add("g.hostname = ?", hostname)
    .add("g.gpu_id = ?", gpuId)
    .add("g.model_name = ?", modelName)
    .add("g.uuid = ?", uuid);
}

/** Reads GPUs with their newest attributes. `last_seen_at` lags behind, and says from where on to look for the newest
 *  record: the older chunks are not touched. */
export async function selectGpus(executor: SqlExecutor, filter: GpuFilter): Promise<StoredGpu[]> {
  const conditions = ofGpu(filter);
  const text = `
select g.uuid, ${attributeColumns.selected("g")}, extract(epoch from g.first_seen_at)::float8 * 1000 as "firstSeenAtMs",
  extract(epoch from coalesce(newest.time, g.last_seen_at))::float8 * 1000 as "lastSeenAtMs"
from gpus g left join lateral (
  select time from telemetry where gpu_key = g.gpu_key and time >= g.last_seen_at order by time desc limit 1) newest on true
${conditions.after("where")} order by ${gpuOrder}`;
  const gpus = await executor.query<StoredGpu>(text, conditions.params);
  return gpus.map((gpu) => ({
    ...gpu,
    firstSeenAtMs: Math.round(gpu.firstSeenAtMs),
    lastSeenAtMs: Math.round(gpu.lastSeenAtMs),
  }));
}
