import postgres from "postgres";
import { StoreRejected, TelemetryError } from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";
import type { PostgresUrl } from "./postgres-url.ts";
import { textOf, unavailable } from "./error-hints.ts";
import { isDataError } from "./sqlstate.ts";

/** True if the server refused the data; the connection is then still usable. An error that ends the session (FATAL), such as a
 *  wrong setting at the start of the session, is never about the data. */
export function isRefusal(error: unknown): boolean {
  const root = rootOf(error);
  return root instanceof postgres.PostgresError && root.severity === "ERROR" && isDataError(root.code);
}

/** True if the server cancelled the statement because it took too long, or because an administrator requested it. */
export function isTimeout(error: unknown): boolean {
  const root = rootOf(error);
  return root instanceof postgres.PostgresError && root.code === "57014";
}

/** True if the server ended the statement because it waited for others that waited for it. */
export function isDeadlock(error: unknown): boolean {
  return (rootOf(error) as { readonly code?: unknown }).code === "40P01";
}

/** Translates an error of postgres.js, drizzle or a socket into an error that the store's callers handle.
 *  @param url of the database: its place and user are named */
export function translatePostgresError(
  cause: unknown,
  { place, user }: Pick<PostgresUrl, "place" | "user">,
): TelemetryError {
  if (cause instanceof TelemetryError) return cause;
  const root = rootOf(cause);
  const { code } = root as { readonly code?: unknown };
  const error = { message: messageOf(root), code: typeof code === "string" ? code : undefined, cause };
  return isRefusal(root)
    ? new StoreRejected(`${place} refused the data: ${textOf(error)}`, { cause })
    : unavailable(`${place} failed`, error, user);
}

/** The innermost cause: drizzle wraps an error with its statement. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
