import { Type } from "@sinclair/typebox";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { defined } from "../../kit/defined.ts";
import { nameMaxLength } from "./envelope.ts";

/** The fields that select GPUs, by their names in REST. REST's parameters, GraphQL's arguments and the filters of /ws are
 *  made from them. */
export const selectorFields = {
  gpu_uuid: field("Only this GPU", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"),
  parent_uuid: field("Only the MIG instances of the GPU with this uuid", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"),
  cluster_id: field("Only GPUs of this cluster", "local-cluster"),
  hostname: field("Only GPUs of this host", "mtv5-dgx1-hgpu-032"),
  model: field("Only GPUs of this model", "NVIDIA H100 80GB HBM3"),
  namespace: field("Only GPUs that this Kubernetes namespace holds", "ml-training"),
};

/** A client's values for the selector fields. */
export type SelectorValues = { readonly [Name in keyof typeof selectorFields]?: string | undefined };

/** Makes a selector from a client's values. */
export function selectorOf({
  gpu_uuid,
  parent_uuid,
  cluster_id,
  hostname,
  model,
  namespace,
}: SelectorValues): GpuSelector {
  return defined({
    uuids: gpu_uuid === undefined ? undefined : [gpu_uuid],
    parentUuid: parent_uuid,
    clusterId: cluster_id,
    hostname,
    modelName: model,
    namespace,
  });
}

function field(description: string, example: string) {
  return Type.Optional(Type.String({ minLength: 1, maxLength: nameMaxLength, description, examples: [example] }));
}
