import { Elysia } from "elysia";
import { metrics } from "../../../domain/metrics.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { list } from "../../schemas/envelope.ts";
import { metricSchema, toApiMetric } from "./metric.ts";

/** The route for the metrics catalogue. */
export function catalogueRoutes() {
  return new Elysia({ name: "catalogue", prefix: "/api/v1/metrics" }).get("", () => list(metrics.map(toApiMetric)), {
    ...accepts(noQuery),
    detail,
  });
}

const detail = operation({
  id: "listMetrics",
  tag: "input",
  summary: "The metrics catalogue",
  description: "Every metric of the catalogue, with unit, range and DCGM's name.",
  list: metricSchema,
  errors: [400, 500],
});
