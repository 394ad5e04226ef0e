import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { notFound } from "./api-fault.ts";
import { operation } from "./docs/operation.ts";
import { telemetryOf } from "./fleet.ts";
import type { FleetAnswers } from "./fleet-answers.ts";
import { accepts, acceptsAt, noQuery, pathName, rangeOf, telemetryQuery } from "./parameters.ts";
import { list } from "./schemas/envelope.ts";

const gpuParams = Type.Object({
  uuid: pathName("UUID of the GPU", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"),
});

/** GPUs by uuid. */
export function gpuRoutes(answers: FleetAnswers, queries: TelemetryQueries) {
  const { fleet } = answers;
  return new Elysia({ name: "gpus", prefix: "/api/v1/gpus" })
    .get("", ({ request }) => answers.answer(request, () => answers.gpuList(fleet.gpus({}))), {
      ...accepts(noQuery),
      detail: listDetail,
    })
    .get(
      "/:uuid",
      ({ request, params: { uuid } }) =>
        answers.answer(request, () => {
          const member = fleet.member(uuid);
          if (member === undefined) throw notFound("GPU", { uuid });
          return answers.singleGpu(member.gpu);
        }),
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
