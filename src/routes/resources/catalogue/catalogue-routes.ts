import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import { metrics } from "../../../domain/metrics.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { metricSchema, toApiMetric } from "./metric.ts";
import { seriesSchema } from "./series.ts";
import { recordsRead, seriesQuery, seriesSeen } from "./series-query.ts";
import type { ViewOf } from "../resource.ts";

/** The routes for the metrics catalogue, and for the series that records have. */
export function catalogueRoutes(viewOf: ViewOf) {
  return new Elysia({ name: "catalogue", prefix: "/api/v1/metrics" })
    .get("", ({ request }) => listInFormat(request, { elements: metrics.map(toApiMetric), schema: metricSchema }), {
      ...accepts(noQuery),
      detail,
    })
    .get(
      "/series",
      async ({ request, query }) => {
        const { elements, total } = await seriesSeen(viewOf(request).queries.history, query);
        return listInFormat(request, { elements, schema: seriesSchema, more: { total } });
      },
      { ...accepts(seriesQuery), ...rowsUnread, detail: seriesDetail },
    );
}

const detail = operation({
  id: "listMetrics",
  tag: "input",
  access: { scope: "read", selectors: "same" },
  summary: "The metrics catalogue",
  description: "Every metric of the catalogue, with unit, range, scope, fold and DCGM's name.",
  list: metricSchema,
  errors: [400, 500],
});

const seriesDetail = operation({
  id: "listSeries",
  tag: "input",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Labelled series, and metrics outside the catalogue",
  description:
    `The names in the field custom of the newest ${recordsRead} records that match the ` +
    "parameters. To find series that only older records have, narrow the filters or the range.",
  part: seriesSchema,
  errors: [400, 500, 503],
});
