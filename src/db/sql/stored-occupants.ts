import type { OwnRows } from "./own-rows.ts";
import { type Occupants, occupantsOf, type Workload } from "../../domain/gpu.ts";

/** The columns of telemetry that say which workloads held the GPU. */
export interface OccupantColumns {
  /** The first of the workloads. */
  readonly container: string | null;
  readonly pod: string | null;
  readonly namespace: string | null;
  /** All workloads, if there are several. */
  readonly occupants: readonly Workload[] | null;
}

/** The workloads that held the GPU of a record. */
export function storedOccupants({ container, pod, namespace, occupants }: OccupantColumns): Occupants {
  return occupants ?? occupantsOf([{ container: container ?? "", pod: pod ?? "", namespace: namespace ?? "" }]);
}

/** An SQL expression for the workloads that held a GPU at an instant, from its history. If there were none, the list has one
 *  element with an empty namespace.
 *  @param at an expression for the instant; undefined for the newest workloads
 *  @param own only times within count; absent: all do */
export function occupantsAt(gpuKey: string, at: string | undefined, own?: OwnRows): string {
  const held = own === undefined ? "" : ` and ${own.placedWorkload("w")} and ${own.wasPlacedBy(gpuKey, at ?? "now()")}`;
  const until = (at === undefined ? "" : ` and w.valid_from <= ${at}`) + held;
  return `coalesce((select nullif(w.occupants, '[]') from gpu_workloads w where w.gpu_key = ${gpuKey}${until}
  order by w.valid_from desc limit 1), '[{"namespace": ""}]')`;
}

/** An SQL condition that a workload in a list has a given namespace.
 *  @param occupants an expression for the list
 *  @param namespace an expression for the namespace */
export function hasNamespace(occupants: string, namespace: string): string {
  return `${occupants} @> jsonb_build_array(jsonb_build_object('namespace', ${namespace}::text))`;
}

/** An SQL query for the distinct namespaces of the workloads in a list.
 *  @param own only own namespaces count; absent: all do */
export function namespacesOf(occupants: string, own?: OwnRows): string {
  const where = own === undefined ? "" : ` where ${own.namespace("o.value->>'namespace'")}`;
  return `select distinct o.value->>'namespace' from jsonb_array_elements(${occupants}) o${where}`;
}
