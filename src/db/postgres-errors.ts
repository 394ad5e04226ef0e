import postgres from "postgres";
import { StoreRejected, TelemetryError } from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";
import { textOf, unavailable } from "./error-hints.ts";
import { saysDataIsAtFault } from "./sqlstate.ts";

/** True where the data is at fault: the connection is as good as before. What ends the session (FATAL), such as a wrong
 *  setting at its start, is never about the data. */
export function isRefusal(error: unknown): boolean {
  const root = rootOf(error);
  return root instanceof postgres.PostgresError && root.severity === "ERROR" && saysDataIsAtFault(root.code);
}

/** True where the server gave a statement up because it took too long. */
export function isTimeout(error: unknown): boolean {
  const root = rootOf(error);
  return root instanceof postgres.PostgresError && root.code === "57014";
}

/** An error of postgres.js, drizzle or a socket as the store's callers know it.
 *  @param place what was asked, without secrets */
export function translatePostgresError(cause: unknown, place: string): TelemetryError {
  if (cause instanceof TelemetryError) return cause;
  const root = rootOf(cause);
  const { code } = root as { readonly code?: unknown };
  const failure = { message: messageOf(root), code: typeof code === "string" ? code : undefined, cause };
  return isRefusal(root)
    ? new StoreRejected(`${place} refused it: ${textOf(failure)}`, { cause })
    : unavailable(`${place} failed`, failure);
}

/** What drizzle wraps with the statement. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
