import { metrics } from "../../../domain/metrics.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { metricSchema, toApiMetric } from "./metric.ts";

/** The metrics catalogue. */
export function catalogueFields({ types, field }: SchemaKit): FieldMap {
  return {
    metrics: field({
      type: types.listOf(metricSchema),
      description: "The metrics catalogue: every metric that a record may carry",
      takes: noQuery,
      size: () => metrics.length,
      resolve: () => metrics.map(toApiMetric),
    }),
  };
}
