import { Elysia } from "elysia";
import { notFound } from "../../http/api-error.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import { gpuListQuery, nameOf, noQuery } from "../../http/parameters/common.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import type { ViewOf } from "../resource.ts";

/** The path parameter of one GPU. */
export const gpuParams = {
  uuid: nameOf("UUID of the GPU or MIG instance", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"),
};

/** The routes of the list of GPUs and of one GPU. */
export function gpuRoutes(viewOf: ViewOf) {
  return new Elysia({ name: "gpus", prefix: "/api/v1/gpus" })
    .get("", ({ request, query }) => viewOf(request).answers.gpus(request, query), {
      ...accepts(gpuListQuery),
      detail: listDetail,
    })
    .get(
      "/:uuid",
      ({ request, params: { uuid } }) => {
        const { answers, fleet } = viewOf(request);
        return answers.answer(request, () => {
          const member = fleet.member(uuid);
          if (member !== undefined) return answers.singleGpu(member.gpu);
          fleet.checkComplete();
          throw notFound("GPU", { uuid });
        });
      },
      { ...acceptsAt(gpuParams, noQuery), detail: gpuDetail },
    );
}

const listDetail = operation({
  id: "listGpus",
  tag: "gpus",
  access: { scope: "read", selectors: "narrowed" },
  summary: "All GPUs",
  description:
    "Every GPU that has reported telemetry, itself or through its MIG instances, and matches the parameters, ordered by " +
    "hostname and index. MIG instances follow their GPU, with parent_uuid; they remain after they are deleted.",
  part: gpuSchema,
  etag: true,
  errors: [400, 500, 503],
});

const gpuDetail = operation({
  id: "getGpu",
  tag: "gpus",
  access: { scope: "read", selectors: "narrowed" },
  summary: "One GPU",
  description: "The GPU or MIG instance with this uuid.",
  single: gpuSchema,
  etag: true,
  errors: [400, 404, 500, 503],
});
