import type { Gpu, Workload } from "./gpu.ts";

/** Which GPUs: every given field restricts; without fields, all GPUs. REST's parameters, GraphQL's arguments, the filters
 *  of a subscription and the conditions of a SQL statement are all made from this.
 *
 *  A new field is added here, in db/sql/gpu-conditions.ts and in routes/schemas/gpu-selector.ts. */
export interface GpuSelector {
  /** Any of these; an empty list selects nothing. */
  readonly uuids?: readonly string[];
  readonly clusterId?: string;
  readonly hostname?: string;
  /** Index of the GPU on its host. */
  readonly gpuId?: number;
  readonly modelName?: string;
  /** Kubernetes namespace of the workload that holds the GPU. */
  readonly namespace?: string;
}

/** True if the selector takes this GPU.
 *  @param workload what holds the GPU; undefined if no record of the GPU says */
export function selectsGpu(selector: GpuSelector, gpu: Gpu, workload: Workload | undefined): boolean {
  const { uuids, clusterId, hostname, gpuId, modelName, namespace } = selector;
  return (
    (clusterId === undefined || clusterId === gpu.clusterId) &&
    (hostname === undefined || hostname === gpu.hostname) &&
    (gpuId === undefined || gpuId === gpu.gpuId) &&
    (modelName === undefined || modelName === gpu.modelName) &&
    (namespace === undefined || namespace === workload?.namespace) &&
    (uuids === undefined || uuids.includes(gpu.uuid))
  );
}

/** The same text for selectors that select the same: the key of a cache or a topic. */
export function selectorKey(selector: GpuSelector): string {
  const { uuids } = selector;
  const canonical = uuids === undefined ? selector : { ...selector, uuids: [...new Set(uuids)].sort() };
  // names in a replacer's list also give the order of the properties
  return JSON.stringify(canonical, Object.keys(canonical).sort());
}
