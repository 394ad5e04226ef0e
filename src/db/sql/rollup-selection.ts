import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { defined } from "../../kit/defined.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { addGpuConditions } from "./gpu-conditions.ts";
import { OwnRows } from "./own-rows.ts";
import { hasNamespace, occupantsAt } from "./stored-occupants.ts";

/** GPUs and the beginnings of buckets; columns of the same length. */
interface Buckets {
  readonly gpuKeys: readonly number[];
  readonly timesMs: readonly number[];
}

/** True if a selector depends on when a GPU is asked for: on its attributes or workloads. */
export function dependsOnTime({ clusterId, hostname, gpuId, modelName, namespace }: GpuSelector): boolean {
  return [clusterId, hostname, gpuId, modelName, namespace].some((each) => each !== undefined);
}

/** Finds the GPUs and buckets that are selected by the attributes and workloads at the beginning of the bucket.
 *  @returns their indexes, ascending */
export async function selectedBuckets(
  executor: SqlExecutor,
  gpus: GpuSelector,
  { gpuKeys, timesMs }: Buckets,
): Promise<number[]> {
  const conditions = new Conditions([numberArray(gpuKeys), numberArray(timesMs)]);
  const { within, clusterId, hostname, gpuId, modelName, namespace } = gpus;
  const own = within && new OwnRows(within, conditions);
  addGpuConditions(conditions, defined({ clusterId, hostname, gpuId, modelName, namespace }), {
    key: "t.gpu_key",
    attribute: (column) => attributeAt(column, own),
    hasNamespace: (namespace) => hasNamespace(occupantsAt("t.gpu_key", "t.bucket", own), namespace),
    isOwn: () => "true",
  });
  const text = `
select t.index::float8 - 1 as index from (
  select gpu_key, to_timestamp(ms / 1000.0) as bucket, index
  from unnest($1::text::int8[], $2::text::float8[]) with ordinality as u(gpu_key, ms, index)) t
${conditions.after("where")} order by t.index`;
  return (await executor.query<{ index: number }>(text, conditions.params)).map(({ index }) => index);
}

/** An SQL expression for a GPU's attribute at the beginning of a bucket, or the last one that was own. The bucket of a GPU's first
 *  records may begin before them; it then has the attribute of these records. */
function attributeAt(column: string, own: OwnRows | undefined): string {
  const isOwn = own === undefined ? "" : ` and ${own.heldPlace("a")} and ${own.wasHeldBy("t.gpu_key", "first.at")}`;
  return `(select a.${column} from gpu_attributes a, (select greatest(t.bucket, ${firstInstant(own)}) as at) first
    where a.gpu_key = t.gpu_key and a.valid_from <= first.at${isOwn} order by a.valid_from desc limit 1)`;
}

/** An SQL expression for the instant from which a GPU has attributes, or own ones. */
function firstInstant(own: OwnRows | undefined): string {
  const isOwn = own === undefined ? "true" : own.heldPlace("f");
  const placed = `(select min(f.valid_from) from gpu_attributes f where f.gpu_key = t.gpu_key and ${isOwn})`;
  if (own?.restrictsNamespaces !== true) return placed;
  return `${placed}, (select min(f.valid_from) from gpu_workloads f where f.gpu_key = t.gpu_key and ${own.heldBy("f.occupants")})`;
}
