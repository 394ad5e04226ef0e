import { metrics } from "../../../domain/metrics.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { metricSchema, toApiMetric } from "./metric.ts";

/** The field for the metrics catalogue. */
export function catalogueFields({ types, field }: SchemaKit): FieldMap {
  return {
    metrics: field({
      type: types.listOf(metricSchema),
      description: "The metrics catalogue",
      takes: noQuery,
      size: () => metrics.length,
      resolve: () => metrics.map(toApiMetric),
    }),
  };
}
