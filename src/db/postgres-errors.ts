import postgres from "postgres";
import { messageOf, StoreRejected, StoreUnavailable, TelemetryError } from "../domain/errors.ts";

/** True where the data is at fault, not the server (classes 22 data, 23 constraint, 54 a limit of PostgreSQL, such as an
 *  index entry's size): trying again will not help, and the connection is as good as before. A missing right or table
 *  (class 42) is an operator's matter: the data waits until it is mended. What ends the session (FATAL), such as a wrong setting at its start, is never about the data.
 *  Source: https://www.postgresql.org/docs/17/errcodes-appendix.html */
export function isRefusal(error: unknown): boolean {
  const root = rootOf(error);
  return root instanceof postgres.PostgresError && root.severity === "ERROR" && /^(?:22|23|54)/.test(root.code);
}

/** An error of postgres.js, drizzle or a socket as the store's callers know it.
 *  @param place what was asked, without secrets */
export function translatePostgresError(cause: unknown, place: string): TelemetryError {
  if (cause instanceof TelemetryError) return cause;
  const root = rootOf(cause);
  const { code } = root as { readonly code?: unknown };
  const message = messageOf(root);
  const text = typeof code !== "string" || message.includes(code) ? message : `${message} (${code})`;
  return isRefusal(root)
    ? new StoreRejected(`${place} refused it: ${text}`, { cause })
    : new StoreUnavailable(`${place} failed: ${text}`, { cause });
}

/** What drizzle wraps with the statement. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
