import type { Emitter } from "./emitter.ts";
import { ApiFailure, messageOf } from "./gateway-api.ts";

/** Whether the page shows the present.
 *
 *  CONNECTING  The page has just been opened.
 *  LIVE        The page follows the gateway.
 *  AWAY        The connection has ended, and the page shows the state of then. It tries again by itself.
 *  REFUSED     Final: the gateway wants a person to sign in, or does not let this one see what the page shows. */
export type LiveStatus =
  | { readonly name: "CONNECTING" | "LIVE" }
  | { readonly name: "AWAY"; readonly sinceMs: number; readonly reason: string }
  | { readonly name: "REFUSED"; readonly reason: string; readonly canSignIn: boolean };

/** What a page follows, and how it is with that. */
export interface LiveState {
  readonly status: LiveStatus;
  readonly statuses: Emitter<void>;
  /** True once there is something to show. */
  readonly isLoaded: boolean;
}

/** The status after a failure.
 *  @param atMs when it happened */
export function statusAfter(error: unknown, before: LiveStatus, atMs: number): LiveStatus {
  const { reason, status } = failureOf(error);
  if (status === 401 || status === 403) return { name: "REFUSED", reason, canSignIn: status === 401 };
  return { name: "AWAY", sinceMs: before.name === "AWAY" ? before.sinceMs : atMs, reason };
}

function failureOf(error: unknown): { readonly reason: string; readonly status: number | undefined } {
  if (error instanceof ApiFailure) return { reason: error.message, status: error.status };
  return { reason: messageOf(error), status: undefined };
}
