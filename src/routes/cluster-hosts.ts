import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { StoredGpu } from "../domain/query.ts";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { type ApiFault, notFound } from "./api-fault.ts";
import { operation } from "./docs/operation.ts";
import { newestRecordAt, telemetryOf } from "./fleet.ts";
import { acceptsAt, noQuery, pathName, rangeOf, telemetryQuery } from "./parameters.ts";
import { list, single } from "./schemas/envelope.ts";
import { toApiGpu } from "./schemas/gpu.ts";
import { toApiHosts } from "./schemas/hierarchy.ts";

const hostParams = {
  cluster_id: pathName("The cluster", "local-cluster"),
  host_id: pathName("Hostname of the host", "mtv5-dgx1-hgpu-032"),
};
const gpuParams = {
  ...hostParams,
  gpu_id: Type.String({
    pattern: "^\\d{1,7}$",
    description: "Index of the GPU on its host, such as 4",
    examples: ["4"],
  }),
};

interface Place {
  readonly cluster_id: string;
  readonly host_id: string;
}

/** Hosts of a cluster and their GPUs. */
export function clusterHostRoutes(queries: TelemetryQueries) {
  const newestOf = async (gpus: readonly StoredGpu[]) => newestRecordAt(queries, gpus[0]?.clusterId ?? "");
  return new Elysia({ name: "cluster-hosts", prefix: "/api/v1/clusters/:cluster_id/hosts/:host_id" })
    .get(
      "",
      async ({ params }) => {
        const gpus = await gpusOfHost(queries, params);
        return single(toApiHosts(gpus, new Map([[params.cluster_id, await newestOf(gpus)]]))[0]);
      },
      { ...acceptsAt(Type.Object(hostParams), noQuery), detail: hostDetail },
    )
    .get(
      "/gpus",
      async ({ params }) => {
        const gpus = await gpusOfHost(queries, params);
        const newestAtMs = await newestOf(gpus);
        return list(gpus.map((gpu) => toApiGpu(gpu, newestAtMs)));
      },
      { ...acceptsAt(Type.Object(hostParams), noQuery), detail: gpusDetail },
    )
    .get(
      "/gpus/:gpu_id",
      async ({ params }) => {
        const gpu = await gpuAt(queries, params);
        return single(toApiGpu(gpu, await newestOf([gpu])));
      },
      { ...acceptsAt(Type.Object(gpuParams), noQuery), detail: gpuDetail },
    )
    .get(
      "/gpus/:gpu_id/metrics",
      async ({ params, query }) => {
        const range = rangeOf(query);
        const { uuid } = await gpuAt(queries, params);
        return list(await telemetryOf(queries, { uuid, ...range }));
      },
      { ...acceptsAt(Type.Object(gpuParams), telemetryQuery), detail: metricsDetail },
    );
}

async function gpusOfHost(queries: TelemetryQueries, { cluster_id, host_id }: Place): Promise<StoredGpu[]> {
  const gpus = await queries.gpus({ clusterId: cluster_id, hostname: host_id });
  if (gpus.length === 0) throw await hostNotFound(queries, { cluster_id, host_id });
  return gpus;
}

/** The GPU of this index; where one was replaced by another, the one seen last. */
async function gpuAt(queries: TelemetryQueries, place: Place & { gpu_id: string }): Promise<StoredGpu> {
  const { cluster_id, host_id, gpu_id } = place;
  const gpus = await queries.gpus({ clusterId: cluster_id, hostname: host_id, gpuId: Number(gpu_id) });
  const [last] = gpus.toSorted((a, b) => b.lastSeenAtMs - a.lastSeenAtMs);
  if (last !== undefined) return last;
  await gpusOfHost(queries, place);
  throw notFound("GPU", { gpu_id, host_id, cluster_id });
}

/** Says which is missing: the cluster or the host. */
async function hostNotFound(queries: TelemetryQueries, { cluster_id, host_id }: Place): Promise<ApiFault> {
  const ofCluster = await queries.gpus({ clusterId: cluster_id });
  return ofCluster.length === 0 ? notFound("cluster", { cluster_id }) : notFound("host", { host_id, cluster_id });
}

const hostDetail = operation({
  id: "getClusterHost",
  tag: "hierarchy",
  summary: "One host",
  description: "The host of this name in the cluster.",
  single: "Host",
  faults: [400, 404, 500, 503],
});

const gpusDetail = operation({
  id: "listHostGpus",
  tag: "hierarchy",
  summary: "GPUs of a host",
  description: "Its GPUs, by index.",
  list: "Gpu",
  faults: [400, 404, 500, 503],
});

const gpuDetail = operation({
  id: "getHostGpu",
  tag: "hierarchy",
  summary: "One GPU of a host",
  description: "The GPU of this index on the host; where one was replaced by another, the one seen last.",
  single: "Gpu",
  faults: [400, 404, 500, 503],
});

const metricsDetail = operation({
  id: "listHostGpuMetrics",
  tag: "hierarchy",
  summary: "Telemetry of one GPU of a host",
  description: "Its records in the range, oldest first; where there are more than limit, the newest ones of them.",
  list: "TelemetryRecord",
  faults: [400, 404, 500, 503],
});
