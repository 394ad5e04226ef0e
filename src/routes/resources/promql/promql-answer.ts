import { QueryTooCostly, StoreUnavailable } from "../../../domain/errors.ts";
import { visibleLines } from "../../../domain/visible-text.ts";
import type { Clock } from "../../../kit/clock.ts";
import { DeadlineExceeded } from "../../../kit/within.ts";
import { PromqlError, type PromqlErrorType } from "../../../promql/promql-error.ts";
import type { QueryResult } from "../../../promql/query.ts";
import type { Work } from "../../../promql/work.ts";
import { ApiError } from "../../http/api-error.ts";
import { formOf } from "./promql-form.ts";
import { queryData } from "./query-data.ts";

/** What an answer has besides its status. */
export type Answered = ({ readonly data: unknown } | { readonly dataJson: string }) & {
  readonly warnings?: readonly string[];
};

const truncated = "results truncated due to limit";
const statusOf: Readonly<Record<PromqlErrorType, number>> = { bad_data: 400, execution: 422, timeout: 503 };

/** Answers a request in the form of Prometheus' HTTP API, also if the query is wrong or costs too much. Errors of the gateway, such as a
 *  key without the scope, have the API's own form.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview */
export async function promqlAnswer(
  request: Request,
  clock: Clock,
  answer: (form: URLSearchParams) => Answered | Promise<Answered>,
): Promise<Response> {
  try {
    const found = await answer(await formOf(request, clock));
    const data = "dataJson" in found ? found.dataJson : JSON.stringify(found.data);
    const more = found.warnings === undefined ? "" : `,"warnings":${JSON.stringify(found.warnings)}`;
    const headers = { "content-type": "application/json;charset=utf-8" };
    return new Response(`{"status":"success","data":${data}${more}}`, { headers });
  } catch (error) {
    const known = promqlErrorOf(error);
    if (known === undefined) throw error;
    const { status, errorType, message } = known;
    // it is for people: characters of the query that deceive are escaped
    return Response.json({ status: "error", errorType, error: visibleLines(message) }, { status });
  }
}

function promqlErrorOf(error: unknown) {
  if (error instanceof PromqlError) {
    return { status: statusOf[error.type], errorType: error.type, message: error.message };
  }
  if (error instanceof ApiError && (error.status === 413 || error.status === 415)) {
    return { status: error.status, errorType: "bad_data", message: error.message };
  }
  if (error instanceof DeadlineExceeded) {
    return { status: 503, errorType: "timeout", message: "the form has not arrived in time" };
  }
  if (error instanceof QueryTooCostly) return { status: 422, errorType: "execution", message: error.message };
  if (error instanceof StoreUnavailable) {
    return { status: 503, errorType: "unavailable", message: "the store does not answer; try again" };
  }
  return undefined;
}

/** The answer to a query, with a warning if there are more series. */
export async function answered(result: QueryResult, work: Work): Promise<Answered> {
  const dataJson = await queryData(result, work);
  return "series" in result && result.isCut ? { dataJson, warnings: [truncated] } : { dataJson };
}

/** The same of elements that are texts in JSON. */
export function limitedTexts(elements: readonly string[], limit = 0): Answered {
  const isCut = limit > 0 && elements.length > limit;
  const dataJson = `[${(isCut ? elements.slice(0, limit) : elements).join(",")}]`;
  return isCut ? { dataJson, warnings: [truncated] } : { dataJson };
}

/** The first elements of a list, with a warning if there are more.
 *  @param limit undefined or 0: all */
export function limited(elements: readonly unknown[], limit = 0): Answered {
  if (limit === 0 || elements.length <= limit) return { data: elements };
  return { data: elements.slice(0, limit), warnings: [truncated] };
}
