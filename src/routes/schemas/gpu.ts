import { type Static, Type } from "@sinclair/typebox";
import type { InventoryState } from "../../domain/inventory.ts";
import type { StoredGpu } from "../../domain/query.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { stateSchema, statusOf, statusSchema } from "./activity.ts";
import { instant } from "./envelope.ts";
import { migFields, toApiMig } from "./mig-fields.ts";

/** A GPU or a MIG instance as the API shows it. */
export const gpuSchema = Type.Object(
  {
    id: Type.String({ description: "Index on its host (DCGM's gpu label); for a MIG instance, that of its GPU" }),
    uuid: Type.String({
      description:
        "Identifies the GPU or MIG instance everywhere: DCGM's UUID label; for a MIG instance, {GPU's UUID}:mig:{GPU_I_ID}:{GPU_I_PROFILE}",
    }),
    hostname: Type.String({ description: "Host that the GPU is in" }),
    name: Type.String({ description: "Model (DCGM_FI_DEV_NAME); empty if the input does not have it" }),
    device: Type.String({ description: "Device name on its host; empty if the input does not have it" }),
    status: statusSchema,
    cluster_id: Type.String({ description: "Cluster that its host belongs to" }),
    driver_version: Type.Optional(
      Type.String({ description: "DCGM_FI_DRIVER_VERSION; absent if the input does not have it" }),
    ),
    first_seen_at: instant("When the oldest record of the GPU, or of a MIG instance of it, was measured"),
    last_seen_at: instant("When the newest record of the GPU, or of a MIG instance of it, was measured"),
    properties: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: "Other labels of the input, by name" }),
    ),
    ...migFields,
    state: stateSchema,
  },
  {
    $id: "Gpu",
    additionalProperties: false,
    description: "A GPU, or a MIG instance of a GPU, that has reported telemetry",
    examples: [
      {
        id: "4",
        uuid: "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4",
        hostname: "mtv5-dgx1-hgpu-032",
        name: "NVIDIA H100 80GB HBM3",
        device: "nvidia4",
        status: "active",
        cluster_id: "local-cluster",
        driver_version: "535.129.03",
        first_seen_at: "2025-07-18T20:42:34Z",
        last_seen_at: "2025-07-18T20:42:37Z",
        properties: { job: "dgx_dcgm_exporter" },
        state: "active",
      },
    ],
  },
);

/** A GPU as it is stored, and its present state in the inventory. */
export interface FleetGpu extends StoredGpu {
  /** Until when the GPU has reported, as far as the gateway knows, milliseconds since the epoch: the instant of its newest record, at most
   *  the instant at which this arrived. -Infinity if its records are of the future, and it is not known when they arrived. */
  readonly reportedAtMs: number;
  /** Undefined until the inventory has been read. */
  readonly state?: InventoryState | undefined;
}

type ApiGpu = Static<typeof gpuSchema>;

/** A GPU or a MIG instance in the API's shape.
 *  @param newestAtMs until when the GPU's cluster has reported */
export function toApiGpu(gpu: FleetGpu, newestAtMs: number): ApiGpu {
  const { driverVersion, properties, state } = gpu;
  return {
    id: String(gpu.gpuId),
    uuid: gpu.uuid,
    hostname: gpu.hostname,
    name: gpu.modelName,
    device: gpu.device,
    status: statusOf(gpu.reportedAtMs, newestAtMs),
    cluster_id: gpu.clusterId,
    ...(driverVersion === "" ? {} : { driver_version: driverVersion }),
    first_seen_at: formatTimestamp(gpu.firstSeenAtMs),
    last_seen_at: formatTimestamp(gpu.lastSeenAtMs),
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...toApiMig(gpu.uuid),
    ...(state === undefined ? {} : { state }),
  };
}
