import { Elysia } from "elysia";
import type { Static } from "@sinclair/typebox";
import type { Clock } from "../../../kit/clock.ts";
import { type AggregateFilter, type Grouping, type RollupResolution } from "../../../domain/query.ts";
import type { TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { operation } from "../../http/operation.ts";
import { metricsOf } from "../../http/filters.ts";
import { rollupFor } from "../../answers/history-answers.ts";
import { accepts, aggregateQuery, rangeOf } from "../../http/parameters.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";
import { aggregateSchema, toApiAggregate } from "./aggregate.ts";

/** What is summed up where nobody says what. */
const metricsDefault = ["gpu_utilization", "memory_utilization", "temperature", "power_draw"];
/** The window where nobody says which. */
const windowMs = 3_600_000;

/** Telemetry summed up by time and group. */
export function aggregateRoutes(queries: TelemetryQueries, clock: Clock) {
  return new Elysia({ name: "aggregates", prefix: "/api/v1/telemetry" }).get(
    "/aggregates",
    async ({ query }) => {
      const filter = aggregateFilterOf(query, clock.nowMs());
      const rows = await queries.aggregates(filter);
      return { success: true, count: rows.length, resolution: filter.resolution, data: rows.map(toApiAggregate) };
    },
    { ...accepts(aggregateQuery), detail },
  );
}

/** What a query for sums asks for, in the store's terms.
 *  @throws ApiError when the range ends before it starts, or a metric is not known */
export function aggregateFilterOf(query: Static<typeof aggregateQuery>, nowMs: number): AggregateFilter {
  const { range: given, limit } = rangeOf({ ...query, limit: query.limit ?? 10_000 });
  const toMs = given.toMs === Infinity ? nowMs + 1 : given.toMs;
  const lastMs = toMs - 1;
  const fromMs = given.fromMs === -Infinity ? lastMs - windowMs : given.fromMs;
  const asked = query.resolution ?? "auto";
  return {
    groupBy: query.group_by as Grouping,
    metrics: query.metrics === undefined ? metricsDefault : metricsOf(query.metrics),
    range: { fromMs, toMs },
    limit,
    resolution: asked === "auto" ? rollupFor(lastMs - fromMs) : (asked as RollupResolution),
    gpus: selectorOf({ cluster_id: query.cluster_id, hostname: query.hostname }),
  };
}

const detail = operation({
  id: "aggregateTelemetry",
  tag: "telemetry",
  summary: "Telemetry summed up",
  description:
    "Average, least, greatest and number of values of each metric, by minute or hour and by GPU, host, cluster, model or " +
    "namespace; of whole minutes or hours that begin in the window. More rows than limit are an error.",
  rows: aggregateSchema,
  errors: [400, 500, 503],
});
