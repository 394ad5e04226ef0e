import { Elysia } from "elysia";
import type { Fleet } from "../../fleet/fleet.ts";
import { type ApiError, notFound } from "../../http/api-error.ts";
import { operation } from "../../http/operation.ts";
import { historyQuery } from "../../answers/history-request.ts";
import { acceptsAt } from "../../http/parameters/accepts.ts";
import { nameOf, noQuery } from "../../http/parameters/common.ts";
import { isInSlot, readSlot, slotParameter } from "../../http/parameters/slot.ts";
import { single } from "../../schemas/envelope.ts";
import { hostSchema } from "../../schemas/hierarchy.ts";
import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";
import { type FleetGpu, gpuSchema } from "../../schemas/gpu.ts";
import type { ViewOf } from "../resource.ts";

const hostParams = {
  cluster_id: nameOf("Id of the cluster", "local-cluster"),
  host_id: nameOf("Name of the host", "mtv5-dgx1-hgpu-032"),
};
const gpuParams = {
  ...hostParams,
  gpu_id: slotParameter,
};

interface Place {
  readonly cluster_id: string;
  readonly host_id: string;
}

/** The routes of one host of a cluster, its GPUs, and the telemetry of a GPU. */
export function clusterHostRoutes(viewOf: ViewOf) {
  return new Elysia({ name: "cluster-hosts", prefix: "/api/v1/clusters/:cluster_id/hosts/:host_id" })
    .get(
      "",
      ({ request, params }) => {
        const { answers, fleet } = viewOf(request);
        return answers.answer(request, () => JSON.stringify(single(answers.apiHosts(gpusOfHost(fleet, params))[0])));
      },
      { ...acceptsAt(hostParams, noQuery), detail: hostDetail },
    )
    .get(
      "/gpus",
      ({ request, params }) => {
        const { answers, fleet } = viewOf(request);
        return answers.list(request, gpuSchema, () => answers.gpuPageText({ elements: gpusOfHost(fleet, params) }));
      },
      { ...acceptsAt(hostParams, noQuery), detail: gpusDetail },
    )
    .get(
      "/gpus/:gpu_id",
      ({ request, params }) => {
        const { answers, fleet } = viewOf(request);
        return answers.answer(request, () => answers.singleGpu(gpuAt(fleet, params)));
      },
      { ...acceptsAt(gpuParams, noQuery), detail: gpuDetail },
    )
    .get(
      "/gpus/:gpu_id/metrics",
      ({ request, params, query }) => {
        const { history, fleet } = viewOf(request);
        return history.answer(request, { uuids: [gpuAt(fleet, params).uuid] }, query);
      },
      { ...acceptsAt(gpuParams, historyQuery), detail: metricsDetail },
    );
}

function gpusOfHost(fleet: Fleet, { cluster_id, host_id }: Place): FleetGpu[] {
  const gpus = fleet.gpus({ clusterId: cluster_id, hostname: host_id });
  if (gpus.length > 0) return gpus;
  fleet.checkComplete();
  throw hostNotFound(fleet, { cluster_id, host_id });
}

/** The GPU at this index, or the MIG instance with this id on the GPU at this index. If several have had the place, the one
 *  that was seen last.
 *  @throws ApiError 404 that names the cluster, the host or the GPU, whichever does not exist */
function gpuAt(fleet: Fleet, place: Place & { gpu_id: string }): FleetGpu {
  const { cluster_id, host_id, gpu_id } = place;
  const slot = readSlot(gpu_id);
  const inSlot = fleet
    .gpus({ clusterId: cluster_id, hostname: host_id, gpuId: slot.gpuId })
    .filter(({ uuid }) => isInSlot(slot, uuid));
  const [last] = inSlot.toSorted((a, b) => b.lastSeenAtMs - a.lastSeenAtMs);
  if (last !== undefined) return last;
  gpusOfHost(fleet, place); // throws if the cluster or the host does not exist
  fleet.checkComplete();
  const isInstance = slot.instanceId !== undefined || slot.instanceUuid !== undefined;
  throw notFound(isInstance ? "MIG instance" : "GPU", { gpu_id, host_id, cluster_id });
}

function hostNotFound(fleet: Fleet, { cluster_id, host_id }: Place): ApiError {
  const ofCluster = fleet.gpus({ clusterId: cluster_id });
  return ofCluster.length === 0 ? notFound("cluster", { cluster_id }) : notFound("host", { host_id, cluster_id });
}

const hostDetail = operation({
  id: "getClusterHost",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "One host",
  description: "The host with this name in the cluster.",
  single: hostSchema,
  etag: true,
  errors: [400, 404, 500, 503],
});

const gpusDetail = operation({
  id: "listHostGpus",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "GPUs of a host",
  description: "The host's GPUs, ordered by index, each followed by its MIG instances.",
  list: gpuSchema,
  etag: true,
  errors: [400, 404, 500, 503],
});

const gpuDetail = operation({
  id: "getHostGpu",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "One GPU of a host",
  description:
    "The GPU at this index on the host, or a MIG instance of it. If several have had the place, the one that was seen last is " +
    "returned.",
  single: gpuSchema,
  etag: true,
  errors: [400, 404, 500, 503],
});

const metricsDetail = operation({
  id: "listHostGpuMetrics",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Telemetry of one GPU of a host",
  description:
    "The GPU's records in the range. If there are more records than limit, the newest are returned, and next_cursor leads to " +
    "older ones.",
  page: telemetryRecordSchema,
  errors: [400, 404, 500, 503],
});
