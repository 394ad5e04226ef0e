import { Elysia } from "elysia";
import { instantQuery, type QueryParts, type QueryResult, rangeQuery } from "../../../promql/query.ts";
import { badData } from "../../../promql/promql-error.ts";
import { timeoutMaxMs } from "../../../promql/work.ts";
import { HistorySeries } from "../../answers/promql/history-series.ts";
import type { QueryTurns } from "../../answers/promql/query-turns.ts";
import { jsonUnread } from "../../http/formats/head-of.ts";
import type { ResourceParts } from "../resource.ts";
import { type Answered, answered, promqlAnswer } from "./promql-answer.ts";
import { asked, posted } from "./promql-detail.ts";
import { durationIn, limitIn, lookbackIn, queryIn, timeIn } from "./promql-form.ts";
import { resultSchema } from "./promql-schemas.ts";

interface Parts extends Pick<ResourceParts, "viewOf" | "clock"> {
  readonly turns: QueryTurns;
}

/** The routes of queries in PromQL. */
export function queryRoutes(parts: Parts) {
  const atOnce = ({ request }: { readonly request: Request }) =>
    promqlAnswer(request, parts.clock, (form) => instant(parts, request, form));
  const inSteps = ({ request }: { readonly request: Request }) =>
    promqlAnswer(request, parts.clock, (form) => range(parts, request, form));
  return new Elysia({ name: "promql-queries", prefix: "/api/v1" })
    .get("/query", atOnce, { ...asked(instantText), ...jsonUnread })
    .post("/query", atOnce, posted(instantText))
    .get("/query_range", inSteps, { ...asked(rangeText), ...jsonUnread })
    .post("/query_range", inSteps, posted(rangeText));
}

function instant(parts: Parts, request: Request, form: URLSearchParams): Promise<Answered> {
  const atMs = timeIn(form, "time") ?? parts.clock.nowMs();
  const query = queryIn(form);
  return inTurn(parts, { request, form }, (of) => instantQuery(query, atMs, of));
}

function range(parts: Parts, request: Request, form: URLSearchParams): Promise<Answered> {
  const [startMs, endMs] = [timeIn(form, "start"), timeIn(form, "end")];
  if (startMs === undefined) throw badData('invalid parameter "start": cannot parse "" to a valid timestamp');
  if (endMs === undefined) throw badData('invalid parameter "end": cannot parse "" to a valid timestamp');
  if (endMs < startMs) throw badData('invalid parameter "end": end timestamp must not be before start time');
  const stepMs = durationIn(form, "step");
  if (stepMs === undefined) throw badData('invalid parameter "step": cannot parse "" to a valid duration');
  if (stepMs <= 0) {
    throw badData(
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  const query = queryIn(form);
  return inTurn(parts, { request, form }, (of) => rangeQuery(query, { startMs, endMs, stepMs }, of));
}

/** Answers a query when it has its turn. */
function inTurn(
  { viewOf, turns }: Parts,
  { request, form }: { readonly request: Request; readonly form: URLSearchParams },
  ask: (of: QueryParts) => Promise<QueryResult>,
): Promise<Answered> {
  const timeoutMs = Math.min(timeoutMaxMs, durationIn(form, "timeout") ?? timeoutMaxMs);
  if (timeoutMs < 0) throw badData('invalid parameter "timeout": it must not be negative');
  const source = new HistorySeries(viewOf(request).queries.history);
  const [lookbackMs, limit] = [lookbackIn(form), limitIn(form)];
  return turns.run(request, timeoutMs, async (work) => answered(await ask({ source, work, lookbackMs, limit }), work));
}

const query = {
  description: "The query; docs/promql.md lists the supported part of PromQL",
  isRequired: true,
  example: "avg by (Hostname) (DCGM_FI_DEV_GPU_UTIL)",
} as const;
const timeForms = "seconds since the epoch, or RFC 3339";
const bounds = {
  timeout: { description: "How long the query may take, such as 30s; at most 2m" },
  limit: { description: "At most this many series; 0: all" },
  lookback_delta: { description: "How long a value counts until the next one, such as 30s; default 5m" },
};

const instantText = {
  id: "promqlQuery",
  summary: "PromQL query at an instant",
  description:
    "In the form of Prometheus' HTTP API, for Grafana and other tools that query a Prometheus. Answers from records, not from summaries.",
  selectors: "narrowed",
  plain: resultSchema,
  parameters: { query, time: { description: `The instant: ${timeForms}; default now` }, ...bounds },
} as const;

const rangeText = {
  id: "promqlQueryRange",
  summary: "PromQL query over a range of time",
  description: "The values of a query at each step from start to end, in the form of Prometheus' HTTP API.",
  selectors: "narrowed",
  plain: resultSchema,
  parameters: {
    query,
    start: { description: `The first step: ${timeForms}`, isRequired: true, example: "2025-07-18T20:00:00Z" },
    end: {
      description: `The last step at the latest: ${timeForms}`,
      isRequired: true,
      example: "2025-07-18T21:00:00Z",
    },
    step: { description: "Seconds, or a duration such as 1m; at most 11,000 steps", isRequired: true, example: "60" },
    ...bounds,
  },
} as const;
