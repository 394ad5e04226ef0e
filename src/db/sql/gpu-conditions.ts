import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { migUuidPattern } from "../../domain/mig-instance.ts";
import { textArray } from "./array-literal.ts";
import type { Conditions } from "./conditions.ts";
import { OwnRows } from "./own-rows.ts";

/** The SQL expressions of a statement for the fields that a selector restricts. */
export interface GpuColumns {
  /** The GPU's `gpu_key`. */
  readonly key: string;
  /** An attribute of the GPU. */
  readonly attribute: (column: "cluster_id" | "hostname" | "gpu_id" | "model_name") => string;
  /** The condition that a workload with this namespace holds the GPU. Without workloads, the namespace is empty.
   *  @param namespace the parameter's placeholder */
  readonly hasNamespace: (namespace: string) => string;
  /** The condition that an own workload holds the GPU. */
  readonly isOwn: (own: OwnRows) => string;
}

/** Adds the conditions of a selector. */
export function addGpuConditions(conditions: Conditions, selector: GpuSelector, columns: GpuColumns): Conditions {
  addAttributeConditions(conditions, selector, columns);
  const { namespace, within } = selector;
  if (within !== undefined) conditions.addText(columns.isOwn(new OwnRows(within, conditions)));
  return namespace === undefined ? conditions : conditions.addText(columns.hasNamespace(conditions.param(namespace)));
}

/** Adds the conditions of a selector, except those on namespaces and bounds. */
export function addAttributeConditions(
  conditions: Conditions,
  { uuids, parentUuid, ...place }: Omit<GpuSelector, "namespace" | "within">,
  { key, attribute }: Omit<GpuColumns, "hasNamespace" | "isOwn">,
): Conditions {
  conditions
    .add(`${key} = any(${keysOfUuids})`, uuids && textArray(uuids))
    .add(`${key} = any(${keysOfPattern})`, parentUuid && migUuidPattern(parentUuid));
  return addPlaceConditions(conditions, place, attribute);
}

/** Adds the conditions of a selector on attributes. */
export function addPlaceConditions(
  conditions: Conditions,
  { clusterId, hostname, gpuId, modelName }: Pick<GpuSelector, "clusterId" | "hostname" | "gpuId" | "modelName">,
  attribute: GpuColumns["attribute"],
): Conditions {
  return conditions
    .add(`${attribute("cluster_id")} = ?`, clusterId)
    .add(`${attribute("hostname")} = ?`, hostname)
    .add(`${attribute("gpu_id")} = ?`, gpuId)
    .add(`${attribute("model_name")} = ?`, modelName);
}

const keysOfUuids = "array(select gpu_key from gpus where uuid = any(?::text::text[]))";
const keysOfPattern = "array(select gpu_key from gpus where uuid ~ ?)";
