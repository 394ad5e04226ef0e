import { QueryTooCostly } from "../domain/errors.ts";

/** The error of a query that took longer than it may. */
export function tooCostly(limitMs: number, cause?: unknown): QueryTooCostly {
  return new QueryTooCostly(
    `the query took longer than QUERY_TIMEOUT_SECONDS (${limitMs / 1000} s): ask for a shorter window, fewer GPUs ` +
      "or a coarser resolution",
    { cause },
  );
}
