import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { notFound } from "./api-fault.ts";
import { operation } from "./docs/operation.ts";
import type { FleetAnswers } from "./fleet-answers.ts";
import { accepts, acceptsAt, noQuery, pathName } from "./parameters.ts";
import { list } from "./schemas/envelope.ts";
import { toApiHosts } from "./schemas/hierarchy.ts";

const hostParams = Type.Object({ hostname: pathName("The host", "mtv5-dgx1-hgpu-032") });

/** Hosts of all clusters: shortcuts past the hierarchy. */
export function hostRoutes(answers: FleetAnswers) {
  const { fleet } = answers;
  return new Elysia({ name: "hosts", prefix: "/api/v1/hosts" })
    .get(
      "",
      ({ request }) =>
        answers.answer(request, () => JSON.stringify(list(toApiHosts(fleet.gpus({}), answers.newestByCluster())))),
      { ...accepts(noQuery), detail: listDetail },
    )
    .get(
      "/:hostname/gpus",
      ({ request, params: { hostname } }) =>
        answers.answer(request, () => {
          const gpus = fleet.gpus({ hostname });
          if (gpus.length === 0) throw notFound("host", { hostname });
          return answers.gpuList(gpus);
        }),
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
