import { metrics } from "../../../domain/metrics.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { metricSchema, toApiMetric } from "./metric.ts";
import { seriesSchema } from "./series.ts";
import { recordsRead, seriesQuery, seriesSeen } from "./series-query.ts";

/** The fields for the metrics catalogue, and for the series that records have. */
export function catalogueFields({ types, field }: SchemaKit): FieldMap {
  return {
    metrics: field({
      scope: "read",
      selectors: "same",
      type: types.listOf(metricSchema),
      description: "The metrics catalogue",
      takes: noQuery,
      size: () => metrics.length,
      resolve: () => metrics.map(toApiMetric),
    }),
    series: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(seriesSchema),
      description:
        `Labelled series, and metrics outside the catalogue, ordered by name: those of the newest ${recordsRead} records that ` +
        "match the arguments",
      takes: seriesQuery,
      size: limitOf,
      asksStore: true,
      resolve: async (_, query, { allParts }) => (await seriesSeen(allParts.queries.history, query)).elements,
    }),
  };
}
