import { shortened } from "../../domain/cut-text.ts";
import { visibleLines } from "../../domain/visible-text.ts";
import { restSpelling, spelled, type Spelling, type Text } from "./parameters/spelling.ts";

/** The codes of error responses. They are stable, because programs depend on them. */
export type ErrorCode =
  | "invalid_parameter"
  | "invalid_body"
  | "unknown_parameter"
  | "cross_origin"
  | "not_found"
  | "method_not_allowed"
  | "not_acceptable"
  | "host_not_allowed"
  | "invalid_host"
  | "too_large"
  | "unsupported_media_type"
  | "too_many_requests"
  | "query_too_costly"
  | "unauthenticated"
  | "forbidden"
  | "tls_required"
  | "upgrade_required"
  | "no_room"
  | "awaits_series"
  | "no_collector"
  | "store_unavailable"
  | "queue_unavailable"
  | "keys_unavailable"
  | "provider_unavailable"
  | "figure_unknown"
  | "internal_error";

/** An error that becomes an error response (in `errorHandling`), or an error of a GraphQL operation (in `graphql-errors.ts`). */
export class ApiError extends Error {
  readonly text: { readonly message: string; readonly details: Readonly<Record<string, unknown>> };

  /** @param text the message is for people: characters in it that deceive are escaped. The details are for programs. */
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 406 | 413 | 415 | 421 | 426 | 429 | 500 | 503,
    readonly code: ErrorCode,
    text: ApiError["text"],
  ) {
    const message = visibleLines(text.message);
    super(message);
    this.name = "ApiError";
    this.text = { message, details: text.details };
  }
}

/** A parameter whose value is not usable, and the values that are usable. */
export interface ParameterError {
  readonly parameter: string;
  readonly value: string;
  /** The reason why the value is not usable; absent if `expected` says enough. */
  readonly problem?: Text;
  /** The usable values, as a phrase that follows "expected". */
  readonly expected: Text;
}

/** The error for a parameter whose value is not usable. */
export class InvalidParameter extends ApiError {
  constructor(private readonly error: ParameterError) {
    const { parameter, expected } = error;
    const details = { parameter, value: shown(error.value), expected: spelled(expected, restSpelling) };
    super(400, "invalid_parameter", { message: messageOf(error, restSpelling), details });
  }

  /** The message in the spelling of REST or of GraphQL. */
  messageIn(spelling: Spelling): string {
    return messageOf(this.error, spelling);
  }
}

function messageOf({ parameter, value, problem, expected }: ParameterError, spelling: Spelling): string {
  const given = `${spelling.name(parameter)}=${JSON.stringify(shown(value))}`;
  const because = problem === undefined ? "" : `: ${spelled(problem, spelling)}`;
  return visibleLines(`${given} is not usable${because}; expected ${spelled(expected, spelling)}`);
}

/** Error responses shorten a text of the request to this many characters. */
const shownMaxLength = 200;

/** Makes the error for a resource that does not exist.
 *  @param where the values that identify the resource, by parameter name */
export function notFound(resource: string, where: Readonly<Record<string, string>>): ApiError {
  const named = Object.entries(where).map(([name, value]) => `${name} ${JSON.stringify(shown(value))}`);
  return new ApiError(404, "not_found", {
    message: `There is no ${resource} with ${named.join(", ")}`,
    details: { resource, ...Object.fromEntries(Object.entries(where).map(([name, value]) => [name, shown(value)])) },
  });
}

/** Shortens a text of a request for an error response. */
export function shown(text: string): string {
  return shortened(text, shownMaxLength);
}
