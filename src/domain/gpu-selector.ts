import type { Gpu, Occupants } from "./gpu.ts";
import { type GpuBounds, isHeldWithin, isPlaceWithin } from "./gpu-bounds.ts";
import { migInstanceOf } from "./mig-instance.ts";

/** Selects GPUs. Every given field restricts the selection; a selector without fields selects all GPUs. REST parameters,
 *  GraphQL arguments and subscription filters become a selector. SQL conditions are made from a selector.
 *
 *  A new field is added in this file, in db/sql/gpu-conditions.ts, in routes/schemas/gpu-selector.ts and in
 *  routes/http/parameters/common.ts; for /ws also in routes/live/. */
export interface GpuSelector {
  /** Any of these; an empty list selects nothing. */
  readonly uuids?: readonly string[];
  /** The MIG instances of the GPU with this uuid, without the GPU itself. */
  readonly parentUuid?: string;
  readonly clusterId?: string;
  readonly hostname?: string;
  /** Index of the GPU on its host. */
  readonly gpuId?: number;
  readonly modelName?: string;
  /** Kubernetes namespace of a workload that holds the GPU. */
  readonly namespace?: string;
  /** Only GPUs that the caller may see. */
  readonly within?: GpuBounds;
}

/** True if the selector selects this GPU.
 *  @param occupants the workloads that hold the GPU; undefined if they are unknown */
export function selectsGpu(selector: GpuSelector, gpu: Gpu, occupants: Occupants | undefined): boolean {
  const { uuids, parentUuid, clusterId, hostname, gpuId, modelName, namespace, within } = selector;
  return (
    (clusterId === undefined || clusterId === gpu.clusterId) &&
    (hostname === undefined || hostname === gpu.hostname) &&
    (gpuId === undefined || gpuId === gpu.gpuId) &&
    (modelName === undefined || modelName === gpu.modelName) &&
    (namespace === undefined || holdsNamespace(occupants, namespace)) &&
    (within === undefined || (isPlaceWithin(within, gpu) && isHeldWithin(within, occupants))) &&
    (uuids === undefined || uuids.includes(gpu.uuid)) &&
    (parentUuid === undefined || migInstanceOf(gpu.uuid)?.parentUuid === parentUuid)
  );
}

/** True if the selector selects a GPU, as far as its workloads decide that. */
export function selectsHeld({ namespace, within }: GpuSelector, occupants: Occupants): boolean {
  return (
    (namespace === undefined || holdsNamespace(occupants, namespace)) &&
    (within === undefined || isHeldWithin(within, occupants))
  );
}

/** False if a selector does not depend on the workloads that held the GPUs. */
export function restrictsHolders({ namespace, within }: GpuSelector): boolean {
  return namespace !== undefined || within !== undefined;
}

/** A GPU that no workload holds has the empty namespace; one whose occupants are unknown has none. */
function holdsNamespace(occupants: Occupants | undefined, namespace: string): boolean {
  if (occupants === undefined) return false;
  return occupants.length === 0 ? namespace === "" : occupants.some((workload) => workload.namespace === namespace);
}

/** The selector for what both it and the bounds select. A namespace that is not within selects nothing: whether it shares one of the
 *  GPUs is not to be told. */
export function selectorWithin(selector: GpuSelector, within: GpuBounds): GpuSelector {
  const { namespace } = selector;
  const isOther = namespace !== undefined && within.namespaces?.includes(namespace) === false;
  return isOther ? { ...selector, uuids: [], within } : { ...selector, within };
}

/** A key for a cache or a topic. Selectors that differ only in the order of their fields, or in the order or repetition of
 *  UUIDs, have the same key. */
export function selectorKey(selector: GpuSelector): string {
  const { uuids } = selector;
  const canonical = uuids === undefined ? selector : { ...selector, uuids: [...new Set(uuids)].sort() };
  return JSON.stringify(
    Object.entries(canonical)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
