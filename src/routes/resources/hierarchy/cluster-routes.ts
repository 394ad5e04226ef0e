import { Elysia } from "elysia";
import type { Fleet } from "../../fleet/fleet.ts";
import { notFound } from "../../http/api-error.ts";
import { clusterStats } from "./cluster-stats.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { nameOf, noQuery } from "../../http/parameters/common.ts";
import { list, single } from "../../schemas/envelope.ts";
import type { FleetGpu } from "../../schemas/gpu.ts";
import { hostSchema, clusterSchema, toApiClusters } from "../../schemas/hierarchy.ts";
import type { ViewOf } from "../resource.ts";
import { clusterStatsSchema } from "./cluster-stats-schema.ts";

const clusterParams = { cluster_id: nameOf("Id of the cluster", "local-cluster") };

/** The routes of clusters, their statistics and their hosts. */
export function clusterRoutes(viewOf: ViewOf) {
  return new Elysia({ name: "clusters", prefix: "/api/v1/clusters" })
    .get(
      "",
      ({ request }) => {
        const { answers, fleet } = viewOf(request);
        return answers.list(request, clusterSchema, () =>
          JSON.stringify(list(toApiClusters(fleet.gpus({}), answers.newestByCluster()))),
        );
      },
      { ...accepts(noQuery), detail: listDetail },
    )
    .get(
      "/:cluster_id",
      ({ request, params: { cluster_id } }) => {
        const { answers, fleet } = viewOf(request);
        return answers.answer(request, () =>
          JSON.stringify(single(toApiClusters(gpusOfCluster(fleet, cluster_id), answers.newestByCluster())[0])),
        );
      },
      { ...acceptsAt(clusterParams, noQuery), detail: clusterDetail },
    )
    .get(
      "/:cluster_id/stats",
      async ({ request, params: { cluster_id } }) => {
        const view = viewOf(request);
        return single(await clusterStats(view, gpusOfCluster(view.fleet, cluster_id)));
      },
      { ...acceptsAt(clusterParams, noQuery), detail: statsDetail },
    )
    .get(
      "/:cluster_id/hosts",
      ({ request, params: { cluster_id } }) => {
        const { answers, fleet } = viewOf(request);
        const hosts = () => answers.apiHosts(gpusOfCluster(fleet, cluster_id));
        return answers.list(request, hostSchema, () => JSON.stringify(list(hosts())));
      },
      { ...acceptsAt(clusterParams, noQuery), detail: hostsDetail },
    );
}

/** @throws ApiError 404 if the cluster has no GPU */
function gpusOfCluster(fleet: Fleet, clusterId: string): FleetGpu[] {
  const gpus = fleet.gpus({ clusterId });
  if (gpus.length > 0) return gpus;
  fleet.checkComplete();
  throw notFound("cluster", { cluster_id: clusterId });
}

const listDetail = operation({
  id: "listClusters",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "All clusters",
  description: "Every cluster with a GPU that has reported telemetry, ordered by id.",
  list: clusterSchema,
  etag: true,
  errors: [400, 500, 503],
});

const clusterDetail = operation({
  id: "getCluster",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "One cluster",
  description: "The cluster with this id.",
  single: clusterSchema,
  etag: true,
  errors: [400, 404, 500, 503],
});

const statsDetail = operation({
  id: "getClusterStats",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Statistics of a cluster",
  description:
    "The numbers of hosts, GPUs and records, and the average, maximum and sum of the active GPUs' newest values.",
  single: clusterStatsSchema,
  errors: [400, 404, 500, 503],
});

const hostsDetail = operation({
  id: "listClusterHosts",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Hosts of a cluster",
  description: "The cluster's hosts, ordered by hostname.",
  list: hostSchema,
  etag: true,
  errors: [400, 404, 500, 503],
});
