import { Elysia } from "elysia";
import type { Clock } from "../../../kit/clock.ts";
import { headOf } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { inOnePart } from "../../http/formats/list-in-format.ts";
import { formatOf } from "../../http/formats/negotiate.ts";
import { rowAnswer } from "../../http/formats/row-answer.ts";
import { jsonRows } from "../../http/formats/json-rows.ts";
import { aggregateFilterOf, aggregateQuery, aggregateWindow } from "./aggregate-query.ts";
import type { ViewOf } from "../resource.ts";
import { aggregateSchema, toApiAggregate, toFlatAggregate } from "./aggregate.ts";

/** The route of telemetry aggregated by time and group. */
export function aggregateRoutes(viewOf: ViewOf, clock: Clock) {
  return new Elysia({ name: "aggregates", prefix: "/api/v1/telemetry" }).get(
    "/aggregates",
    async ({ request, query }) => {
      const filter = aggregateFilterOf(query, clock.nowMs());
      const format = formatOf(request);
      if (request.method === "HEAD") return headOf(request, format);
      const { queries, fleet } = viewOf(request);
      const rows = await queries.aggregates.byGroup(filter);
      const window = aggregateWindow(filter, rows, fleet);
      const head = { success: true, count: rows.length, resolution: filter.resolution, ...window };
      if (format === "json") return jsonRows(head, rows, toApiAggregate);
      const shown = format === "ndjson" ? rows.map(toApiAggregate) : rows.map(toFlatAggregate);
      const columns = new Set(["timestamp"]);
      if (format !== "ndjson") for (const row of shown) for (const name in row) columns.add(name);
      const paging = { total: rows.length, ...window };
      return rowAnswer({ request, format, columns: [...columns], schema: undefined, parts: inOnePart(shown), paging });
    },
    { ...accepts(aggregateQuery), detail },
  );
}

const detail = operation({
  id: "aggregateTelemetry",
  tag: "telemetry",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Aggregated telemetry",
  description:
    "The average, lowest and highest value and the number of values of each metric, by minute, hour or day and by GPU, host, cluster, " +
    "model or namespace. Every GPU and MIG instance that reports a metric counts, a record with several occupants once in each of " +
    "their namespaces. Covers whole minutes, hours or days (UTC) that begin in the range. If there are more rows than limit, the request fails.",
  rows: aggregateSchema,
  errors: [400, 500, 503],
});
