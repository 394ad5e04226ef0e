import { Elysia } from "elysia";
import type { CallerQueries } from "../../../pipeline/store/bounded-queries.ts";
import { notFound } from "../../http/api-error.ts";
import { headOf } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { gpuParams } from "./gpu-routes.ts";
import { historyQuery } from "../../answers/history-request.ts";
import { acceptsAt } from "../../http/parameters/accepts.ts";
import { timeBounds, timeRangeOf } from "../../http/parameters/time-bounds.ts";
import { single } from "../../schemas/envelope.ts";
import { gpuChangesSchema, toApiGpuChanges } from "./gpu-changes.ts";
import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";
import type { ViewOf } from "../resource.ts";

/** The parameters of requests for a GPU's changes. */
export const changesQuery = timeBounds({
  start: "RFC 3339 with zone, or a time from now such as -1h; selects the state at this instant, and later changes",
  end: "RFC 3339 with zone, or a time from now such as -1h; selects changes at or before this instant",
});

/** The routes of a GPU's telemetry and of its changes over time. */
export function gpuHistoryRoutes(viewOf: ViewOf) {
  // a GPU that only its MIG instances report has no history of its own
  const checkExists = async ({ fleet }: CallerQueries, uuid: string): Promise<void> => {
    if (!(await fleet.has(uuid))) throw notFound("GPU", { uuid });
  };
  return new Elysia({ name: "gpu-history", prefix: "/api/v1/gpus" })
    .get(
      "/:uuid/telemetry",
      async ({ request, params: { uuid }, query }) => {
        const { history, queries } = viewOf(request);
        const answer = await history.answer(request, { uuids: [uuid] }, query);
        // a Response sends its rows later, so their number is not known yet
        if (answer instanceof Response || answer.count === 0) await checkExists(queries, uuid);
        return answer;
      },
      { ...acceptsAt(gpuParams, historyQuery), detail: telemetryDetail },
    )
    .get(
      "/:uuid/changes",
      async ({ request, params: { uuid }, query }) => {
        const { queries } = viewOf(request);
        if (request.method === "HEAD") {
          await checkExists(queries, uuid);
          return headOf(request);
        }
        const changes = await queries.fleet.changes({ uuid, range: timeRangeOf(query) });
        if (changes.attributes.length === 0) await checkExists(queries, uuid);
        return single(toApiGpuChanges(uuid, changes));
      },
      { ...acceptsAt(gpuParams, changesQuery), detail: changesDetail },
    );
}

const telemetryDetail = operation({
  id: "listGpuTelemetry",
  tag: "gpus",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Telemetry of one GPU",
  description:
    "The GPU's records in the range. If there are more records than limit, the newest are returned, and next_cursor leads to " +
    "older ones.",
  page: telemetryRecordSchema,
  errors: [400, 404, 500, 503],
});

const changesDetail = operation({
  id: "getGpuChanges",
  tag: "gpus",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Changes of a GPU over time",
  description:
    "The GPU's places and attributes, and the containers, pods and namespaces that held it. If start_time equals end_time, " +
    "only the state at that instant is returned.",
  single: gpuChangesSchema,
  errors: [400, 404, 500, 503],
});
