import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { notFound } from "./api-fault.ts";
import { operation } from "./docs/operation.ts";
import { gpusWithStatus, telemetryOf } from "./fleet.ts";
import { accepts, acceptsAt, noQuery, pathName, rangeOf, telemetryQuery } from "./parameters.ts";
import { list, single } from "./schemas/envelope.ts";
import { newestByCluster } from "./schemas/hierarchy.ts";
import { toApiGpu } from "./schemas/gpu.ts";

const gpuParams = Type.Object({
  uuid: pathName("UUID of the GPU", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"),
});

/** GPUs by uuid. */
export function gpuRoutes(queries: TelemetryQueries) {
  return new Elysia({ name: "gpus", prefix: "/api/v1/gpus" })
    .get(
      "",
      async () => {
        const gpus = await queries.gpus({});
        const newestAtMs = newestByCluster(gpus);
        return list(gpus.map((gpu) => toApiGpu(gpu, newestAtMs.get(gpu.clusterId) ?? NaN)));
      },
      { ...accepts(noQuery), detail: listDetail },
    )
    .get(
      "/:uuid",
      async ({ params: { uuid } }) => {
        const [gpu] = await gpusWithStatus(queries, { uuid });
        if (gpu === undefined) throw notFound("GPU", { uuid });
        return single(gpu);
      },
      { ...acceptsAt(gpuParams, noQuery), detail: gpuDetail },
    )
    .get(
      "/:uuid/telemetry",
      async ({ params: { uuid }, query }) => {
        const records = await telemetryOf(queries, { uuid, ...rangeOf(query) });
        if (records.length === 0 && (await queries.gpus({ uuid })).length === 0) throw notFound("GPU", { uuid });
        return list(records);
      },
      { ...acceptsAt(gpuParams, telemetryQuery), detail: telemetryDetail },
    );
}

const listDetail = operation({
  id: "listGpus",
  tag: "gpus",
  summary: "All GPUs",
  description: "Every GPU that has reported telemetry, by hostname and index.",
  list: "Gpu",
  faults: [400, 500, 503],
});

const gpuDetail = operation({
  id: "getGpu",
  tag: "gpus",
  summary: "One GPU",
  description: "The GPU of this uuid.",
  single: "Gpu",
  faults: [400, 404, 500, 503],
});

const telemetryDetail = operation({
  id: "listGpuTelemetry",
  tag: "gpus",
  summary: "Telemetry of one GPU",
  description: "Its records in the range, oldest first; where there are more than limit, the newest ones of them.",
  list: "TelemetryRecord",
  faults: [400, 404, 500, 503],
});
