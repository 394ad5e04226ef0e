import type { TObject } from "@sinclair/typebox";
import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import type { Clock } from "../../../kit/clock.ts";
import { notFound } from "../../http/api-error.ts";
import { headOf, rowsUnread } from "../../http/formats/head-of.ts";
import { formatOf } from "../../http/formats/negotiate.ts";
import { operation } from "../../http/operation.ts";
import { accepts, acceptsAt } from "../../http/parameters/accepts.ts";
import type { ViewOf } from "../resource.ts";
import { heldSpanSchema, toApiHeldSpan } from "./held-span.ts";
import { holdersQuery, holdersRange, uuidParameter } from "./holders-query.ts";
import { type ApiUsagePage, jobPage, jobQuery, usagePage, usageQuery } from "./usage-query.ts";
import { countedHours, jobUsageSchema, usageSchema } from "./usage-row.ts";

/** The routes of who used devices, and for what. */
export function usageRoutes(viewOf: ViewOf, clock: Clock) {
  return new Elysia({ name: "usage", prefix: "/api/v1" })
    .get(
      "/usage",
      async ({ request, query }) => {
        const page = await usagePage(viewOf(request).queries.usage, query, clock);
        return pageAnswer(request, page, usageSchema);
      },
      { ...accepts(usageQuery), ...rowsUnread, detail: usageDetail },
    )
    .get(
      "/usage/jobs",
      async ({ request, query }) => {
        const page = await jobPage(viewOf(request).queries.usage, query, clock);
        return pageAnswer(request, page, jobUsageSchema);
      },
      { ...accepts(jobQuery), ...rowsUnread, detail: jobsDetail },
    )
    .get(
      "/gpus/:uuid/holders",
      async ({ request, params: { uuid }, query }) => {
        const range = holdersRange(query, clock);
        const format = formatOf(request);
        const { queries } = viewOf(request);
        if (!(await queries.fleet.has(uuid))) throw notFound("GPU", { uuid });
        if (request.method === "HEAD") return headOf(request, format);
        const spans = (await queries.usage.holders({ uuid, range })).map(toApiHeldSpan);
        return listInFormat(request, { elements: spans, schema: heldSpanSchema });
      },
      { ...acceptsAt({ uuid: uuidParameter }, holdersQuery), detail: holdersDetail },
    );
}

function pageAnswer(request: Request, { rows, hours, next, total }: ApiUsagePage<object>, schema: TObject) {
  return listInFormat(request, { elements: rows, schema, more: { ...hours, total, next_cursor: next } });
}

const read = { tag: "telemetry", access: { scope: "read", selectors: "narrowed" } } as const;

const usageDetail = operation({
  id: "listUsage",
  ...read,
  summary: "Who used GPUs, and for how long",
  description:
    "For each namespace, pod, container, job, user, host, model, cluster or device: how long GPUs were held, " +
    "free or unknown, how much of that time was active, idle and effective, and the energy and cost. Allocated, unallocated and unknown seconds of all rows add up to the " +
    "time of all GPUs. Covers whole hours (UTC), from start_time to end_time of the answer, the current one until the newest records. " +
    "An end_time at the beginning of an hour leaves this hour out: a day lasts from midnight to midnight.",
  part: usageSchema,
  also: countedHours,
  errors: [400, 500, 503],
});

const jobsDetail = operation({
  id: "listJobUsage",
  ...read,
  summary: "What each pod and job used",
  description:
    "The footprint of each pod or job that held a GPU in the range: its devices, when it held them, for how long, and its utilization, " +
    "memory, power and energy. Ordered by when they began. The range covers whole hours, like that of usage.",
  part: jobUsageSchema,
  also: countedHours,
  errors: [400, 500, 503],
});

const holdersDetail = operation({
  id: "listGpuHolders",
  tag: "gpus",
  access: { scope: "read", selectors: "narrowed" },
  summary: "Who held a GPU",
  description:
    "Who held the GPU or MIG instance at an instant or in a range, oldest first. A record counts until the next one, but only for a limited time; after that, the holder is unknown. Kept as long as usage.",
  list: heldSpanSchema,
  errors: [400, 404, 500, 503],
});
