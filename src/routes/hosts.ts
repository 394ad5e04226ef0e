import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { notFound } from "./api-fault.ts";
import { operation } from "./docs/operation.ts";
import { accepts, acceptsAt, noQuery, pathName } from "./parameters.ts";
import { list } from "./schemas/envelope.ts";
import { toApiGpu } from "./schemas/gpu.ts";
import { newestByCluster, toApiHosts } from "./schemas/hierarchy.ts";

const hostParams = Type.Object({ hostname: pathName("The host", "mtv5-dgx1-hgpu-032") });

/** Hosts of all clusters: shortcuts past the hierarchy. */
export function hostRoutes(queries: TelemetryQueries) {
  return new Elysia({ name: "hosts", prefix: "/api/v1/hosts" })
    .get(
      "",
      async () => {
        const gpus = await queries.gpus({});
        return list(toApiHosts(gpus, newestByCluster(gpus)));
      },
      { ...accepts(noQuery), detail: listDetail },
    )
    .get(
      "/:hostname/gpus",
      async ({ params: { hostname } }) => {
        // A hostname may occur in several clusters: their newest records come from all GPUs.
        const gpus = await queries.gpus({});
        const ofHost = gpus.filter((gpu) => gpu.hostname === hostname);
        if (ofHost.length === 0) throw notFound("host", { hostname });
        const newestAtMs = newestByCluster(gpus);
        return list(ofHost.map((gpu) => toApiGpu(gpu, newestAtMs.get(gpu.clusterId) ?? NaN)));
      },
      { ...acceptsAt(hostParams, noQuery), detail: gpusDetail },
    );
}

const listDetail = operation({
  id: "listHosts",
  tag: "hierarchy",
  summary: "All hosts",
  description: "Every host with a GPU that has reported telemetry, of all clusters.",
  list: "Host",
  faults: [400, 500, 503],
});

const gpusDetail = operation({
  id: "listGpusByHostname",
  tag: "hierarchy",
  summary: "GPUs of a host",
  description: "GPUs of the hosts with this name, whatever their cluster, by index.",
  list: "Gpu",
  faults: [400, 404, 500, 503],
});
