import { GraphQLError } from "graphql";
import type { Logger } from "pino";
import { ClientLeft, QueryTooCostly, TelemetryError, UndecodableBlock } from "../../domain/errors.ts";
import { messageOf } from "../../kit/message-of.ts";
import { visibleLines } from "../../domain/visible-text.ts";
import { ApiError, type ErrorCode, InvalidParameter } from "../http/api-error.ts";
import { graphqlSpelling } from "./types/names.ts";

/** The values that this program gives to `extensions.code`. They are stable, because clients depend on them. Yoga
 *  adds values of its own, such as OPERATION_RESOLUTION_FAILURE. */
export type GraphqlCode =
  | "GRAPHQL_PARSE_FAILED"
  | "GRAPHQL_VALIDATION_FAILED"
  | "BAD_REQUEST"
  | "BAD_USER_INPUT"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "OPERATION_TOO_LARGE"
  | "QUERY_TOO_COSTLY"
  | "TOO_MANY_SUBSCRIPTIONS"
  | "TOO_MANY_REQUESTS"
  | "SERVICE_UNAVAILABLE"
  | "INTERNAL_SERVER_ERROR";

const graphqlCodeOf: Readonly<Partial<Record<ErrorCode, GraphqlCode>>> = {
  invalid_parameter: "BAD_USER_INPUT",
  unknown_parameter: "BAD_USER_INPUT",
  forbidden: "FORBIDDEN",
  not_found: "NOT_FOUND",
  too_many_requests: "TOO_MANY_REQUESTS",
  cross_origin: "FORBIDDEN",
  query_too_costly: "QUERY_TOO_COSTLY",
  no_room: "SERVICE_UNAVAILABLE",
  store_unavailable: "SERVICE_UNAVAILABLE",
  keys_unavailable: "SERVICE_UNAVAILABLE",
  queue_unavailable: "SERVICE_UNAVAILABLE",
};

/** Makes an error for a GraphQL answer, with a message that people see as it is.
 *  @param details extensions in addition to the code */
export function graphqlError(
  code: GraphqlCode,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): GraphQLError {
  return new GraphQLError(visibleLines(message), { extensions: { code, ...details } });
}

/** Makes an error about wrong input, such as an unusable argument. */
export function badInput(message: string, details: Readonly<Record<string, unknown>> = {}): GraphQLError {
  return graphqlError("BAD_USER_INPUT", message, details);
}

/** Turns anything that was thrown into an error with a code, for the client. The details of an error inside the server are
 *  logged, not sent. */
export function toGraphqlError(thrown: unknown, log: Logger): GraphQLError {
  const error = thrown instanceof GraphQLError ? thrown : undefined;
  const cause = error === undefined ? thrown : error.originalError;
  if (error !== undefined && (cause === undefined || cause instanceof GraphQLError)) {
    return located(error, error.extensions["code"] === undefined ? codedError(error, log) : error);
  }
  return located(error, errorOf(cause, log));
}

/** Turns an error that graphql itself found into an error with a code: BAD_USER_INPUT if the request is wrong, otherwise
 *  INTERNAL_SERVER_ERROR. */
function codedError(error: GraphQLError, log: Logger): GraphQLError {
  // an error about an argument can have a path, because arguments are coerced when their field is executed
  const isWrongInput = error.path === undefined || /^(?:Argument|Variable) /.test(error.message);
  return isWrongInput ? badInput(error.message) : internal(error, log);
}

function errorOf(cause: unknown, log: Logger): GraphQLError {
  if (cause instanceof InvalidParameter) return badInput(cause.messageIn(graphqlSpelling));
  if (cause instanceof ApiError && cause.status !== 500) {
    const { code, text } = cause;
    return graphqlError(graphqlCodeOf[code] ?? "BAD_REQUEST", text.message, { details: text.details });
  }
  if (cause instanceof ClientLeft) return graphqlError("SERVICE_UNAVAILABLE", "The client has left");
  if (cause instanceof QueryTooCostly) {
    return graphqlError("QUERY_TOO_COSTLY", `The query costs too much: ${cause.message}`);
  }
  if (cause instanceof TelemetryError && cause.retryable) {
    const message = "The store or the queue is unavailable; try again";
    return graphqlError("SERVICE_UNAVAILABLE", message, { reason: cause.message });
  }
  if (cause instanceof UndecodableBlock) {
    log.error({ err: cause }, "a GraphQL operation failed");
    const message = "The operation needs history that is damaged; an operator has to repair it (bun run db:repair)";
    return graphqlError("INTERNAL_SERVER_ERROR", message, { reason: cause.message });
  }
  return internal(cause, log);
}

function internal(cause: unknown, log: Logger): GraphQLError {
  log.error({ err: cause instanceof Error ? cause : new Error(messageOf(cause)) }, "a GraphQL operation failed");
  return graphqlError("INTERNAL_SERVER_ERROR", "The operation failed inside the server; its log says why");
}

/** Copies `error` but with the location of `at` in the document and in the answer; without a location if `at` is undefined. */
function located(at: GraphQLError | undefined, error: GraphQLError): GraphQLError {
  const { nodes = null, source = null, positions = null, path = null } = at ?? {};
  return new GraphQLError(error.message, { nodes, source, positions, path, extensions: error.extensions });
}
