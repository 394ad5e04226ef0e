import { Elysia } from "elysia";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { operation } from "./docs/operation.ts";
import { telemetryOf } from "./fleet.ts";
import type { FleetAnswers } from "./fleet-answers.ts";
import { accepts, rangeOf, telemetryQuery } from "./parameters.ts";
import { list } from "./schemas/envelope.ts";

/** Records of all GPUs. */
export function telemetryRoutes(answers: FleetAnswers, queries: TelemetryQueries) {
  return new Elysia({ name: "telemetry", prefix: "/api/v1/telemetry" })
    .get("", async ({ query }) => list(await telemetryOf(queries, rangeOf(query))), {
      ...accepts(telemetryQuery),
      detail: allDetail,
    })
    .get(
      "/latest",
      ({ request, query }) => {
        const range = rangeOf(query);
        return answers.answer(request, () => answers.latestList(range));
      },
      { ...accepts(telemetryQuery), detail: latestDetail },
    );
}

const allDetail = operation({
  id: "listTelemetry",
  tag: "telemetry",
  summary: "Telemetry of all GPUs",
  description: "Records in the range, oldest first; where there are more than limit, the newest ones of them.",
  list: "TelemetryRecord",
  faults: [400, 500, 503],
});

const latestDetail = operation({
  id: "listLatestTelemetry",
  tag: "telemetry",
  summary: "Newest record of every GPU",
  description:
    "The newest record of each GPU where it lies in the range, oldest first. Like everywhere, at most limit of them, " +
    "the newest: ask for as many as there are GPUs.",
  list: "TelemetryRecord",
  faults: [400, 500, 503],
});
