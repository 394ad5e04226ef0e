import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { Clock } from "../../../kit/clock.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { coveragePage, coverageQuery } from "./coverage-query.ts";
import type { ViewOf } from "../resource.ts";
import { coverageSchema } from "./coverage-row.ts";

/** The route of what was expected and what was received. */
export function coverageRoutes(viewOf: ViewOf, clock: Clock) {
  return new Elysia({ name: "coverage", prefix: "/api/v1/coverage" }).get(
    "",
    async ({ request, query }) => {
      const { rows, next } = await coveragePage(viewOf(request).queries.coverage, query, clock);
      return listInFormat(request, { elements: rows, schema: coverageSchema, more: { next_cursor: next } });
    },
    { ...accepts(coverageQuery), ...rowsUnread, detail },
  );
}

const detail = operation({
  id: "listCoverage",
  tag: "telemetry",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Expected and received readings",
  description:
    "For each device, host, cluster or target, and each hour: the readings that were due, those that are stored, and why the others " +
    "are missing. A device that has vanished is still expected: without any record, received is 0. " +
    "What was expected follows from the schedules of live sources; for files, it is learned from the records. Covers whole hours, and the current one until now.",
  part: coverageSchema,
  errors: [400, 500, 503],
});
