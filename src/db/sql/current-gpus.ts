import type { Attributes, Occupants } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import { attributeColumns } from "../gpu-columns.ts";
import { textArray } from "./array-literal.ts";
import { incarnation } from "./database-state.ts";

/** A GPU with its newest state in the database. Instants are milliseconds since the epoch. */
export interface CurrentGpu {
  readonly uuid: string;
  readonly gpuKey: number;
  /** What the GPU's newest records report about it; undefined if gpu_reports has no row of the GPU yet. */
  readonly report: CurrentReport | undefined;
  readonly occupants: Occupants;
  /** The instant from which these workloads hold the GPU; undefined if gpu_workloads has no row of the GPU yet. */
  readonly workloadFromMs: number | undefined;
  /** The GPU was last seen at this instant or later. */
  readonly lastSeenMs: number;
  /** True if two hosts have reported the uuid at one instant. */
  readonly isContested: boolean;
}

/** Attributes that have been reported since an instant. */
export interface CurrentReport {
  readonly fromMs: number;
  readonly attributesId: number;
  readonly attributes: Attributes;
}

/** How many changes of GPUs a database has had. */
export interface GpuRevision {
  readonly revision: number;
  /** The value of `incarnation` in the database. */
  readonly incarnation: string;
}

interface CurrentRow extends Attributes {
  readonly uuid: string;
  readonly gpuKey: number;
  readonly lastSeenMs: number;
  readonly reportFromMs: number | null;
  readonly attributesId: number | null;
  readonly occupants: Occupants;
  readonly workloadFromMs: number | null;
  readonly isContested: boolean;
}

const text = `
select g.uuid, g.gpu_key::float8 as "gpuKey", ${attributeColumns.selected("r")},
  extract(epoch from g.last_seen_at)::float8 * 1000 as "lastSeenMs",
  extract(epoch from r.valid_from)::float8 * 1000 as "reportFromMs", r.attributes_id::float8 as "attributesId",
  extract(epoch from w.valid_from)::float8 * 1000 as "workloadFromMs", coalesce(w.occupants, '[]') as occupants,
  g.contested_version is not null as "isContested"
from gpus g
left join lateral (
  select p.valid_from, a.* from gpu_reports p join reported_attributes a using (gpu_key, attributes_id)
  where p.gpu_key = g.gpu_key order by p.valid_from desc limit 1) r on true
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
    report: reportOf(row),
    occupants: row.occupants,
    workloadFromMs: row.workloadFromMs === null ? undefined : Math.round(row.workloadFromMs),
    lastSeenMs: Math.round(row.lastSeenMs),
    isContested: row.isContested,
  }));
}

function reportOf(row: CurrentRow): CurrentReport | undefined {
  const { reportFromMs, attributesId } = row;
  if (reportFromMs === null || attributesId === null) return undefined;
  return { fromMs: Math.round(reportFromMs), attributesId, attributes: attributeColumns.pick(row) };
}

/** Reads the sequence that counts the changes of GPUs, and which database has it. Other transactions see a new number before the
 *  transaction that changes the GPUs commits, and read the number without a lock. */
export async function readGpuRevision(executor: SqlExecutor): Promise<GpuRevision> {
  // each message reads it: with a parameter, it is a prepared statement, and planned once
  const query = `
select (case when is_called then last_value else $1::int8 end)::float8 as revision, ${incarnation} as incarnation from gpu_revision`;
  return (await executor.query<GpuRevision>(query, [0]))[0] ?? { revision: 0, incarnation: "" };
}
