import { type Static, Type } from "@sinclair/typebox";
import { noWorkload } from "../../../domain/gpu.ts";
import type { GpuChanges } from "../../../domain/query.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { instant } from "../../schemas/envelope.ts";
import { occupantsField, toApiOccupants } from "../../schemas/occupants.ts";

const from = instant("When this state began; the state lasts until the next element begins");

/** How a GPU changed over time, as the API shows it. */
export const gpuChangesSchema = Type.Object(
  {
    uuid: Type.String({ description: "UUID of the GPU" }),
    attributes: Type.Array(
      Type.Object(
        {
          from,
          cluster_id: Type.String({ description: "Cluster of the host" }),
          hostname: Type.String({ description: "Host that the GPU was in" }),
          gpu_id: Type.String({ description: "Index of the GPU on its host" }),
          device: Type.String({ description: "Device name on its host; empty if the input does not have it" }),
          model_name: Type.String({ description: "Model; empty if the input does not have it" }),
          driver_version: Type.String({ description: "Driver version; empty if the input does not have it" }),
          properties: Type.Record(Type.String(), Type.String(), { description: "Other labels of the input, by name" }),
        },
        { additionalProperties: false },
      ),
      { description: "The GPU's places and attributes, oldest first" },
    ),
    workloads: Type.Array(
      Type.Object(
        {
          from,
          container: Type.String({ description: "Empty if the input does not have it" }),
          pod: Type.String({ description: "Empty if the input does not have it" }),
          namespace: Type.String({ description: "Empty if the input does not have it" }),
          ...occupantsField,
        },
        { additionalProperties: false },
      ),
      {
        description:
          "Workloads that held the GPU, oldest first; without a workload, the three names are empty. If several held it at a " +
          "time, occupants has all of them, and the names are those of the first",
      },
    ),
  },
  {
    $id: "GpuChanges",
    additionalProperties: false,
    description: "How a GPU changed over time: its state at the start of the range, and each change in the range",
    examples: [
      {
        uuid: "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4",
        attributes: [
          {
            from: "2025-07-18T20:42:34Z",
            cluster_id: "local-cluster",
            hostname: "mtv5-dgx1-hgpu-032",
            gpu_id: "4",
            device: "nvidia4",
            model_name: "NVIDIA H100 80GB HBM3",
            driver_version: "535.129.03",
            properties: { job: "dgx_dcgm_exporter" },
          },
        ],
        workloads: [{ from: "2025-07-18T20:42:34Z", container: "trainer", pod: "trainer-0", namespace: "research" }],
      },
    ],
  },
);

/** A GPU's changes in the API's shape. */
export function toApiGpuChanges(uuid: string, { attributes, workloads }: GpuChanges): Static<typeof gpuChangesSchema> {
  return {
    uuid,
    attributes: attributes.map((span) => ({
      from: formatTimestamp(span.fromMs),
      cluster_id: span.clusterId,
      hostname: span.hostname,
      gpu_id: String(span.gpuId),
      device: span.device,
      model_name: span.modelName,
      driver_version: span.driverVersion,
      properties: { ...span.properties },
    })),
    workloads: workloads.map(({ fromMs, occupants }) => {
      const { container, pod, namespace } = occupants[0] ?? noWorkload;
      return { from: formatTimestamp(fromMs), container, pod, namespace, ...toApiOccupants(occupants) };
    }),
  };
}
