import { instantQuery, rangeQuery, type QueryParts } from "../../src/promql/query.ts";
import { PromqlError } from "../../src/promql/promql-error.ts";
import type { SeriesSource } from "../../src/promql/series-source.ts";
import { Work } from "../../src/promql/work.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { queryData } from "../../src/routes/resources/promql/query-data.ts";
import type { Answer } from "./compare.ts";

/** When a query is asked for. */
export type Asked =
  { readonly atMs: number } | { readonly startMs: number; readonly endMs: number; readonly stepMs: number };

/** Answers a query from series, in the form of the API. */
export async function evaluated(query: string, asked: Asked, source: SeriesSource): Promise<Answer> {
  const work = new Work({ clock: systemClock, signal: new AbortController().signal, timeoutMs: 60_000 });
  const parts: QueryParts = { source, work };
  try {
    const result =
      "atMs" in asked ? await instantQuery(query, asked.atMs, parts) : await rangeQuery(query, asked, parts);
    return { status: "success", data: JSON.parse(await queryData(result, work)) as NonNullable<Answer["data"]> };
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return { status: "error", errorType: error.type, error: error.message };
  }
}

/** The path at which the API answers a query. */
export function pathOf(query: string, asked: Asked): string {
  const text = encodeURIComponent(query);
  if ("atMs" in asked) return `/api/v1/query?query=${text}&time=${asked.atMs / 1000}`;
  const { startMs, endMs, stepMs } = asked;
  return `/api/v1/query_range?query=${text}&start=${startMs / 1000}&end=${endMs / 1000}&step=${stepMs / 1000}`;
}
