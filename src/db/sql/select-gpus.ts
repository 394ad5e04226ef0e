import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { StoredGpu } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { attributeColumns } from "../gpu-columns.ts";
import { Conditions } from "./conditions.ts";
import { addGpuConditions } from "./gpu-conditions.ts";
import { hasNamespace, occupantsAt } from "./stored-occupants.ts";

/** The order of GPUs in lists, for `order by`, whatever the database's own collation is. It is the order of `byPlace`, unless a
 *  name has characters beyond U+FFFF. */
export const gpuOrder = 'g.hostname collate "C", g.gpu_id, g.uuid collate "C"';

/** The conditions of a selector on `gpus g`. They apply to a GPU's newest attributes and newest workloads. */
export function gpuConditions(selector: GpuSelector): Conditions {
  return addGpuConditions(new Conditions(), selector, {
    key: "g.gpu_key",
    attribute: (column) => `g.${column}`,
    hasNamespace: (namespace) => hasNamespace(occupantsAt("g.gpu_key", undefined), namespace),
    isOwn: (own) => `${own.place("g")} and ${own.heldBy(occupantsAt("g.gpu_key", undefined))}`,
  });
}

interface GpuRow extends Omit<StoredGpu, "contestedVersion"> {
  readonly contestedVersion: number | null;
}

/** Reads GPUs with their newest attributes. The newest record may be newer than `last_seen_at`. The search for that record
 *  starts at `last_seen_at`, so that older chunks are not read. */
export async function selectGpus(executor: SqlExecutor, selector: GpuSelector): Promise<StoredGpu[]> {
  const conditions = gpuConditions(selector);
  const text = `
select g.uuid, ${attributeColumns.selected("g")}, extract(epoch from g.first_seen_at)::float8 * 1000 as "firstSeenAtMs",
  extract(epoch from coalesce(newest.time, g.last_seen_at))::float8 * 1000 as "lastSeenAtMs",
  g.contested_version::float8 as "contestedVersion"
from gpus g left join lateral (
  select time from telemetry where gpu_key = g.gpu_key and time >= g.last_seen_at order by time desc limit 1) newest on true
${conditions.after("where")} order by ${gpuOrder}`;
  const rows = await executor.query<GpuRow>(text, conditions.params);
  return rows.map(({ contestedVersion, ...gpu }) => ({
    ...gpu,
    firstSeenAtMs: Math.round(gpu.firstSeenAtMs),
    lastSeenAtMs: Math.round(gpu.lastSeenAtMs),
    ...(contestedVersion === null ? {} : { contestedVersion }),
  }));
}
