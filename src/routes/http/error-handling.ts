import { Elysia } from "elysia";
import type { Logger } from "pino";
import {
  ClientLeft,
  EtcdOutOfSpace,
  EtcdUnavailable,
  KeysUnavailable,
  ProviderUnavailable,
  QueryTooCostly,
  QueueClosed,
  StoreUnavailable,
  UndecodableBlock,
} from "../../domain/errors.ts";
import { ApiError, shown } from "./api-error.ts";
import { SignInNeeded } from "./access/sign-in-needed.ts";
import { allowedMethods, type RoutePattern } from "./route-table.ts";

/** How long a client should wait after a 503. */
const retryAfterSeconds = 1;

/** No client reads this answer; the status is for the instruments.
 *  Source: https://nginx.org/en/docs/dev/development_guide.html#http_return_codes (NGX_HTTP_CLIENT_CLOSED_REQUEST) */
const clientLeftStatus = 499;

/** Renders the error responses for wrong methods, unknown paths and errors that routes throw. Answers OPTIONS for known
 *  paths. An unexpected error is logged, and the client receives only `internal_error`.
 *  Mount it first: Elysia's error hooks apply only to routes added after them.
 *  @param routes returns every route of the app; called only after the app is composed */
export function errorHandling({
  routes,
  log,
}: {
  readonly routes: () => readonly RoutePattern[];
  readonly log: Logger;
}) {
  return new Elysia({ name: "error-handling" }).onError({ as: "global" }, ({ code, error, request, set }) => {
    if (code === "NOT_FOUND") {
      const { pathname } = new URL(request.url);
      const allowed = allowedMethods(routes(), pathname);
      if (allowed.length > 0) set.headers.allow = allowed.join(", ");
      if (allowed.length > 0 && request.method === "OPTIONS") {
        set.status = 204;
        return new Response(null, { status: 204, headers: { allow: allowed.join(", ") } });
      }
      const found = unmatched(request.method, pathname, allowed);
      return allowed.length === 0 && isOfPrometheus(pathname) ? answerPrometheus(found, set) : answer(found, set);
    }
    if (error instanceof ClientLeft) {
      set.status = clientLeftStatus;
      return "";
    }
    if (error instanceof SignInNeeded) {
      return new Response(null, { status: 302, headers: { location: error.location, "cache-control": "no-store" } });
    }
    const apiError = apiErrorOf(code, error, request.method);
    // a client that has left does not get its answer, and that is no error of this process
    if (apiError.status === 500 && !request.signal.aborted)
      log.error({ err: error, path: new URL(request.url).pathname }, "a request failed");
    const { retry_after_seconds: retryAfter } = apiError.text.details;
    if (apiError.status === 429) set.headers["retry-after"] = String(retryAfter);
    // a gateway without a collector has none until it is started again
    if (apiError.status === 503 && apiError.code !== "no_collector")
      set.headers["retry-after"] = String(retryAfterSeconds);
    return answer(apiError, set);
  });
}

function answer({ status, code, text }: ApiError, set: { status?: number | string }) {
  set.status = status;
  return { success: false, error: { code, message: text.message, details: text.details } };
}

/** Paths of Prometheus' HTTP API that have no answer here: its clients read errors in its form only.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/api/ */
function isOfPrometheus(path: string): boolean {
  return /^\/api\/v1\/(?:format_query|parse_query|alertmanagers|targets\/.+|scrape_pools|read|status\/.+|admin\/.+|notifications)$/.test(
    path,
  );
}

function answerPrometheus({ status, text }: ApiError, set: { status?: number | string }) {
  set.status = status;
  return { status: "error", errorType: "not_found", error: text.message };
}

/** Paths that other servers have, and where the same is here. */
const usualPaths: Readonly<Record<string, string>> = {
  "/graphiql": "GraphiQL is at /graphql",
  "/playground": "GraphiQL is at /graphql",
  "/openapi.json": "the OpenAPI document is at /swagger/swagger.json",
  "/swagger.json": "the OpenAPI document is at /swagger/swagger.json",
};

function unmatched(method: string, path: string, allowed: readonly string[]): ApiError {
  if (allowed.length > 0) {
    const message = `${shown(method)} is not allowed on ${shown(path)}; allowed: ${allowed.join(", ")}`;
    return new ApiError(405, "method_not_allowed", {
      message,
      details: { method: shown(method), path: shown(path), allowed },
    });
  }
  const meant = Object.hasOwn(usualPaths, path) ? `${usualPaths[path]}, and ` : "";
  const message = `There is nothing at ${shown(path)}; ${meant}the documentation is at /docs`;
  return new ApiError(404, "not_found", { message, details: { resource: "path", path: shown(path) } });
}

function apiErrorOf(code: string | number, error: unknown, method: string): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreUnavailable) {
    return new ApiError(503, "store_unavailable", {
      message: "The store does not answer; try again",
      details: { reason: error.message },
    });
  }
  if (error instanceof EtcdUnavailable || error instanceof EtcdOutOfSpace || error instanceof QueueClosed) {
    const advice = ["GET", "HEAD"].includes(method) ? "try again" : "check whether the change was made, and try again";
    return new ApiError(503, "queue_unavailable", {
      message: `The queue does not answer; ${advice}`,
      details: { reason: error.message },
    });
  }
  if (error instanceof KeysUnavailable || error instanceof ProviderUnavailable) {
    const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}; try again`;
    return new ApiError(503, error.code, { message, details: {} });
  }
  if (error instanceof QueryTooCostly) {
    return new ApiError(400, error.code, { message: `The query costs too much: ${error.message}`, details: {} });
  }
  if (code === "VALIDATION" || code === "PARSE") {
    return new ApiError(400, "invalid_parameter", {
      message: "The request is not usable; /docs lists the parameters of this path",
      details: {},
    });
  }
  if (error instanceof UndecodableBlock) {
    return new ApiError(500, "internal_error", {
      message: "The request needs history that is damaged; an operator has to repair it (bun run db:repair)",
      details: { reason: error.message },
    });
  }
  return new ApiError(500, "internal_error", {
    message: "The request failed inside the server; its log says why",
    details: {},
  });
}
