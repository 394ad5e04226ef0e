import { stopwatch } from "../kit/clock.ts";
import type { SqlExecutor } from "./client.ts";
import { tooCostly } from "./too-costly.ts";

/** Runs the statements of one question. The client limits the time of each; this limits that of all, with what happens between them.
 *  @param limitMs undefined: there is no limit
 *  @returns an executor that throws QueryTooCostly instead of beginning another statement too late */
export function withinTime(executor: SqlExecutor, limitMs: number | undefined): SqlExecutor {
  if (limitMs === undefined) return executor;
  const elapsedMs = stopwatch();
  let isFirst = true;
  return {
    query: async (text, params) => {
      if (!isFirst && elapsedMs() > limitMs) throw tooCostly(limitMs);
      isFirst = false;
      return executor.query(text, params);
    },
  };
}
