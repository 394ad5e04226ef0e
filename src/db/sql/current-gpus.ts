import type { Attributes, Workload } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import { attributeColumns, workloadColumns } from "../gpu-columns.ts";
import { textArray } from "./array-literal.ts";
import { incarnation } from "./database-state.ts";

/** A GPU with its newest state in the database. Instants are milliseconds since the epoch. */
export interface CurrentGpu {
  readonly uuid: string;
  readonly gpuKey: number;
  readonly attributes: Attributes;
  /** The instant from which the attributes are valid; undefined if gpu_attributes has no row of the GPU yet. */
  readonly attributesFromMs: number | undefined;
  readonly workload: Workload;
  /** The instant from which the workload is valid; undefined if gpu_workloads has no row of the GPU yet. */
  readonly workloadFromMs: number | undefined;
  /** The GPU was last seen at this instant or later. */
  readonly lastSeenMs: number;
}

/** How many changes of GPUs a database has had. */
export interface GpuRevision {
  readonly revision: number;
  /** The value of `incarnation` in the database. */
  readonly incarnation: string;
}

interface CurrentRow extends Attributes, Workload {
  readonly uuid: string;
  readonly gpuKey: number;
  readonly lastSeenMs: number;
  readonly attributesFromMs: number | null;
  readonly workloadFromMs: number | null;
}

const text = `
select g.uuid, g.gpu_key::float8 as "gpuKey", ${attributeColumns.selected("g")},
  extract(epoch from g.last_seen_at)::float8 * 1000 as "lastSeenMs",
  extract(epoch from a.valid_from)::float8 * 1000 as "attributesFromMs",
  extract(epoch from w.valid_from)::float8 * 1000 as "workloadFromMs",
  coalesce(w.container, '') as container, coalesce(w.pod, '') as pod, coalesce(w.namespace, '') as namespace
from gpus g
left join lateral (
  select valid_from from gpu_attributes where gpu_key = g.gpu_key order by valid_from desc limit 1) a on true
left join lateral (
  select * from gpu_workloads where gpu_key = g.gpu_key order by valid_from desc limit 1) w on true
where g.gpu_key in (
  select gpu_key from gpus where revision > $1
  union select gpu_key from gpus join unnest($2::text::text[]) as s(uuid) using (uuid))`;

/** Reads the GPUs that changed after a revision, and those with the given uuids. */
export async function readCurrentGpus(
  executor: SqlExecutor,
  { afterRevision, uuids }: { readonly afterRevision: number; readonly uuids: readonly string[] },
): Promise<CurrentGpu[]> {
  const rows = await executor.query<CurrentRow>(text, [afterRevision, textArray(uuids)]);
  return rows.map((row) => ({
    uuid: row.uuid,
    gpuKey: row.gpuKey,
    attributes: attributeColumns.pick(row),
    attributesFromMs: row.attributesFromMs === null ? undefined : Math.round(row.attributesFromMs),
    workload: workloadColumns.pick(row),
    workloadFromMs: row.workloadFromMs === null ? undefined : Math.round(row.workloadFromMs),
    lastSeenMs: Math.round(row.lastSeenMs),
  }));
}

/** Reads the sequence that counts the changes of GPUs, and which database has it. Other transactions see a new number before the
 *  transaction that changes the GPUs commits, and read the number without a lock. */
export async function readGpuRevision(executor: SqlExecutor): Promise<GpuRevision> {
  const query = `
select (case when is_called then last_value else 0 end)::float8 as revision, ${incarnation} as incarnation from gpu_revision`;
  return (await executor.query<GpuRevision>(query))[0] ?? { revision: 0, incarnation: "" };
}
