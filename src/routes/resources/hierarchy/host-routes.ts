import { Elysia } from "elysia";
import { notFound } from "../../http/api-error.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { gpuListQuery, nameOf, noQuery } from "../../http/parameters/common.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import { hostSchema } from "../../schemas/hierarchy.ts";
import type { ViewOf } from "../resource.ts";

const hostParams = { hostname: nameOf("Name of the host", "mtv5-dgx1-hgpu-032") };

/** The routes of hosts of all clusters. Their paths do not name a cluster. */
export function hostRoutes(viewOf: ViewOf) {
  return new Elysia({ name: "hosts", prefix: "/api/v1/hosts" })
    .get("", ({ request, query }) => viewOf(request).answers.hosts(request, query), {
      ...accepts(gpuListQuery),
      detail: listDetail,
    })
    .get(
      "/:hostname/gpus",
      ({ request, params: { hostname } }) => {
        const { answers, fleet } = viewOf(request);
        return answers.list(request, gpuSchema, () => {
          const gpus = fleet.gpus({ hostname });
          if (gpus.length > 0) return answers.gpuPageText({ elements: gpus });
          fleet.checkComplete();
          throw notFound("host", { hostname });
        });
      },
      { ...acceptsAt(hostParams, noQuery), detail: gpusDetail },
    );
}

const listDetail = operation({
  id: "listHosts",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "All hosts",
  description:
    "Every host, in any cluster, with a GPU that has reported telemetry and matches the parameters, ordered by hostname.",
  part: hostSchema,
  etag: true,
  errors: [400, 500, 503],
});

const gpusDetail = operation({
  id: "listGpusByHostname",
  tag: "hierarchy",
  access: { scope: "read", selectors: "narrowed" },
  summary: "GPUs of a host",
  description:
    "GPUs of the hosts with this name in all clusters, ordered by index, each followed by its MIG instances.",
  list: gpuSchema,
  etag: true,
  errors: [400, 404, 500, 503],
});
