import { GraphQLError } from "graphql";
import type { Logger } from "pino";
import { QueryTooCostly, TelemetryError } from "../../domain/errors.ts";
import { messageOf } from "../../kit/message-of.ts";
import { ApiError, type ErrorCode } from "../http/api-error.ts";

/** What `extensions.code` may say; stable, for programs. */
export type GraphqlCode =
  | "GRAPHQL_PARSE_FAILED"
  | "GRAPHQL_VALIDATION_FAILED"
  | "BAD_REQUEST"
  | "BAD_USER_INPUT"
  | "NOT_FOUND"
  | "OPERATION_TOO_LARGE"
  | "QUERY_TOO_COSTLY"
  | "TOO_MANY_SUBSCRIPTIONS"
  | "SERVICE_UNAVAILABLE"
  | "INTERNAL_SERVER_ERROR";

const codeOfFault: Readonly<Partial<Record<ErrorCode, GraphqlCode>>> = {
  invalid_parameter: "BAD_USER_INPUT",
  unknown_parameter: "BAD_USER_INPUT",
  not_found: "NOT_FOUND",
  query_too_costly: "QUERY_TOO_COSTLY",
  store_unavailable: "SERVICE_UNAVAILABLE",
};

/** An error as GraphQL answers it.
 *  @param details further extensions */
export function graphqlError(
  code: GraphqlCode,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...details } });
}

/** An argument or a variable that cannot be used. */
export function badInput(message: string, details: Readonly<Record<string, unknown>> = {}): GraphQLError {
  return graphqlError("BAD_USER_INPUT", message, details);
}

/** Makes of anything that is thrown an error that may leave the process: with a code, and without a word of what went
 *  wrong inside, which the log gets. */
export function toGraphqlError(thrown: unknown, log: Logger): GraphQLError {
  const error = thrown instanceof GraphQLError ? thrown : undefined;
  const cause = error === undefined ? thrown : error.originalError;
  if (error !== undefined && (cause === undefined || cause instanceof GraphQLError)) {
    return placed(error, error.extensions["code"] === undefined ? ownFault(error, log) : error);
  }
  return placed(error, faultOf(cause, log));
}

/** What graphql itself finds: in the request where there is no place in the answer yet, else in what we answer. */
function ownFault(error: GraphQLError, log: Logger): GraphQLError {
  // an argument is coerced when its field's turn comes: its value is the client's
  const isInput = error.path === undefined || /^(?:Argument|Variable) /.test(error.message);
  return isInput ? badInput(error.message) : internal(error, log);
}

function faultOf(cause: unknown, log: Logger): GraphQLError {
  if (cause instanceof ApiError && cause.status < 500) {
    return graphqlError(codeOfFault[cause.code] ?? "BAD_REQUEST", cause.text.message, { details: cause.text.details });
  }
  if (cause instanceof QueryTooCostly) {
    return graphqlError("QUERY_TOO_COSTLY", `The query costs too much: ${cause.message}`);
  }
  if (cause instanceof TelemetryError && cause.retryable) {
    return graphqlError("SERVICE_UNAVAILABLE", "What this needs does not answer; try again", { reason: cause.message });
  }
  return internal(cause, log);
}

function internal(cause: unknown, log: Logger): GraphQLError {
  log.error({ err: cause instanceof Error ? cause : new Error(messageOf(cause)) }, "a GraphQL operation failed");
  return graphqlError("INTERNAL_SERVER_ERROR", "The operation failed inside the server; its log says why");
}

/** The fault at the place of the error. */
function placed(at: GraphQLError | undefined, fault: GraphQLError): GraphQLError {
  const { nodes = null, source = null, positions = null, path = null } = at ?? {};
  return new GraphQLError(fault.message, { nodes, source, positions, path, extensions: fault.extensions });
}
