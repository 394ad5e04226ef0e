import { Elysia } from "elysia";
import { operation } from "../../http/operation.ts";
import { fleetHistoryQuery, latestQuery } from "../../answers/history-request.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";
import type { ViewOf } from "../resource.ts";

/** The routes of records of all GPUs. */
export function telemetryRoutes(viewOf: ViewOf) {
  return new Elysia({ name: "telemetry", prefix: "/api/v1/telemetry" })
    .get("", ({ request, query }) => viewOf(request).history.answer(request, {}, query), {
      ...accepts(fleetHistoryQuery),
      detail: allDetail,
    })
    .get("/latest", ({ request, query }) => viewOf(request).answers.latest(request, query), {
      ...accepts(latestQuery),
      detail: latestDetail,
    });
}

const allDetail = operation({
  id: "listTelemetry",
  tag: "telemetry",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Telemetry of all GPUs",
  description:
    "Records in the range. If there are more records than limit, the newest are returned, and next_cursor leads to " +
    "older ones.",
  page: telemetryRecordSchema,
  errors: [400, 500, 503],
});

const latestDetail = operation({
  id: "listLatestTelemetry",
  tag: "telemetry",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Newest record of every GPU",
  description:
    "The newest record of each GPU and MIG instance, if that record is in the range. If there are more records than limit, the newest are " +
    "returned; total says how many there are, and next_cursor leads to older ones.",
  part: telemetryRecordSchema,
  etag: true,
  errors: [400, 500, 503],
});
