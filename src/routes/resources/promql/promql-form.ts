import { numberOf, durationMs } from "../../../promql/language/literals.ts";
import { parseSelector } from "../../../promql/language/parse.ts";
import type { Matcher } from "../../../promql/matcher.ts";
import { badData } from "../../../promql/promql-error.ts";
import type { Clock } from "../../../kit/clock.ts";
import { ApiError } from "../../http/api-error.ts";
import { boundedText } from "../../http/bounded-body.ts";
import { codingProblem } from "../../http/request-body.ts";

/** The longest body that is read: a query, and some selectors. */
const bodyMaxBytes = 128 * 1024;

/** The parameters of a request: those of its path, and those of a form in its body. As in Prometheus, unknown ones are ignored.
 *  @throws ApiError 413 if the body is too long, 415 if it is no form; DeadlineExceeded if it takes too long to arrive */
export async function formOf(request: Request, clock: Clock): Promise<URLSearchParams> {
  const { searchParams } = new URL(request.url);
  if (request.method !== "POST") return searchParams;
  const text = await boundedText(request, bodyMaxBytes, clock);
  if (text === undefined) {
    const message = `The form is longer than ${bodyMaxBytes} bytes`;
    throw new ApiError(413, "too_large", { message, details: { max_bytes: bodyMaxBytes } });
  }
  const type = request.headers.get("content-type") ?? "";
  const isForm = /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type);
  if (text !== "" && (!isForm || codingProblem(request.headers) !== undefined)) {
    const supported = ["application/x-www-form-urlencoded"];
    const message = `The body has to be ${supported[0]}, without a Content-Encoding`;
    throw new ApiError(415, "unsupported_media_type", { message, details: { supported } });
  }
  // a parameter that both have is first that of the form, as in Prometheus
  return new URLSearchParams([...new URLSearchParams(text), ...searchParams]);
}

/** The query of a request. */
export function queryIn(form: URLSearchParams): string {
  const query = form.get("query");
  if (query === null)
    throw badData(`invalid parameter "query": unknown position: parse error: no expression found in input`);
  return query;
}

/** An instant of a request: seconds since the epoch, or RFC 3339.
 *  @returns milliseconds since the epoch; undefined if it is absent */
export function timeIn(form: URLSearchParams, name: string): number | undefined {
  const text = form.get(name);
  if (text === null || text === "") return undefined;
  const ms = /^-?[\d.]+(?:e[+-]?\d+)?$/i.test(text) ? Math.round(Number(text) * 1000) : rfc3339Ms(text);
  // beyond, JavaScript has no dates; the years 1 and 9999, which mean no bound, are within
  if (Math.abs(ms) <= 8.64e15) return ms;
  throw badData(`invalid parameter "${name}": cannot parse ${JSON.stringify(text)} to a valid timestamp`);
}

function rfc3339Ms(text: string): number {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
}

/** @returns milliseconds; undefined if it is absent */
export function durationIn(form: URLSearchParams, name: string): number | undefined {
  const text = form.get(name);
  if (text === null || text === "") return undefined;
  const ms = durationMs(text) ?? Math.round((numberOf(text) ?? NaN) * 1000);
  if (Number.isFinite(ms)) return ms;
  throw badData(`invalid parameter "${name}": cannot parse ${JSON.stringify(text)} to a valid duration`);
}

/** How long the sample of a query counts if none follows, if the request says so. As in Prometheus, 0 and less say nothing.
 *  @returns milliseconds */
export function lookbackIn(form: URLSearchParams): number | undefined {
  const ms = durationIn(form, "lookback_delta");
  return ms === undefined || ms <= 0 ? undefined : ms;
}

/** The series selectors of a request, of which any may select. */
export function selectorsIn(form: URLSearchParams): readonly (readonly Matcher[])[] {
  return form.getAll("match[]").map(parseSelector);
}

/** How many elements of a list are wanted; undefined or 0: all. */
export function limitIn(form: URLSearchParams): number | undefined {
  const text = form.get("limit");
  if (text === null || text === "") return undefined;
  if (!/^\d{1,9}$/.test(text))
    throw badData(`invalid parameter "limit": ${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}
