import { Elysia } from "elysia";
import { metrics } from "../../../domain/metrics.ts";
import type { TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { operation } from "../../http/operation.ts";
import { accepts, noQuery, quarantineQuery } from "../../http/parameters.ts";
import { list } from "../../schemas/envelope.ts";
import { metricSchema, toApiMetric } from "../catalogue/metric.ts";
import { rejectionSchema, toApiRejection } from "./rejection.ts";

/** What may come in, and what was rejected. */
export function quarantineRoutes(queries: TelemetryQueries) {
  return new Elysia({ name: "input", prefix: "/api/v1" })
    .get("/metrics", () => list(metrics.map(toApiMetric)), { ...accepts(noQuery), detail: metricsDetail })
    .get(
      "/quarantine",
      async ({ query: { source_id, limit = 100 } }) => {
        const filter = source_id === undefined ? { limit } : { sourceId: source_id, limit };
        return list((await queries.rejections(filter)).map(toApiRejection));
      },
      { ...accepts(quarantineQuery), detail: quarantineDetail },
    );
}

const metricsDetail = operation({
  id: "listMetrics",
  tag: "input",
  summary: "The metrics catalogue",
  description: "Every metric that a record may carry, with unit, range and DCGM's name.",
  list: metricSchema,
  errors: [400, 500],
});

const quarantineDetail = operation({
  id: "listQuarantine",
  tag: "input",
  summary: "Rejected inputs",
  description: "Inputs that could not be used, with place, reason and value; the newest first.",
  list: rejectionSchema,
  errors: [400, 500, 503],
});
