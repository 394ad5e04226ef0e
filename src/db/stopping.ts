import type { SqlExecutor } from "./client.ts";

/** The statements of an executor, none of which begins once `signal` has aborted: between two of them, nothing can be cancelled.
 *  `query` throws the signal's reason. */
export function stopping(executor: SqlExecutor, signal: AbortSignal): SqlExecutor {
  return {
    query: <Row>(text: string, params?: readonly unknown[]) => {
      signal.throwIfAborted();
      return executor.query<Row>(text, params);
    },
  };
}
