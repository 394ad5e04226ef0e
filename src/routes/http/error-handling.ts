import { Elysia } from "elysia";
import type { Logger } from "pino";
import { EtcdOutOfSpace, EtcdUnavailable, QueryTooCostly, QueueClosed, StoreUnavailable } from "../../domain/errors.ts";
import { ApiError, shown } from "./api-error.ts";
import { allowedMethods, type RoutePattern } from "./route-table.ts";

/** A client is told to come back after this long when the store or the queue does not answer. */
const retryAfterSeconds = 1;

/** Writes every answer that is no success: wrong method, unknown path, faults of routes, and whatever else is thrown,
 *  of which nothing but that it happened leaves the process.
 *  Mount it first: Elysia's error hooks cover only what comes after them.
 *  @param routes every route of the app, known once it is composed */
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
      return answer(unmatched(request.method, pathname, allowed), set);
    }
    const fault = faultOf(code, error);
    if (fault.status === 500) log.error({ err: error, path: new URL(request.url).pathname }, "a request failed");
    if (fault.status === 503) set.headers["retry-after"] = String(retryAfterSeconds);
    return answer(fault, set);
  });
}

function answer({ status, code, text }: ApiError, set: { status?: number | string }) {
  set.status = status;
  return { success: false, error: { code, message: text.message, details: text.details } };
}

function unmatched(method: string, path: string, allowed: readonly string[]): ApiError {
  if (allowed.length > 0) {
    const message = `${shown(method)} is not possible on ${shown(path)}; possible: ${allowed.join(", ")}`;
    return new ApiError(405, "method_not_allowed", {
      message,
      details: { method: shown(method), path: shown(path), allowed },
    });
  }
  const message = `There is nothing at ${shown(path)}; /docs lists every path`;
  return new ApiError(404, "not_found", { message, details: { resource: "path", path: shown(path) } });
}

function faultOf(code: string | number, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreUnavailable) {
    return new ApiError(503, "store_unavailable", {
      message: "The store does not answer; try again",
      details: { reason: error.message },
    });
  }
  if (error instanceof EtcdUnavailable || error instanceof EtcdOutOfSpace || error instanceof QueueClosed) {
    return new ApiError(503, "queue_unavailable", {
      message: "The queue does not answer; look whether what was asked for was done, and try again",
      details: { reason: error.message },
    });
  }
  if (error instanceof QueryTooCostly) {
    return new ApiError(400, error.code, { message: `The query costs too much: ${error.message}`, details: {} });
  }
  if (code === "VALIDATION" || code === "PARSE") {
    return new ApiError(400, "invalid_parameter", {
      message: "The request is not usable; /docs says what this path takes",
      details: {},
    });
  }
  return new ApiError(500, "internal_error", {
    message: "The request failed inside the server; its log says why",
    details: {},
  });
}
