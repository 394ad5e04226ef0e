import { QueryTooCostly } from "../domain/errors.ts";

const advice = "ask for a shorter window, fewer GPUs or a coarser resolution";
/** A small question takes as long if the server, its disk or the machine is overloaded. */
const otherCause = "if it asks for little already, the database or its machine is overloaded: try again later";

/** The error of a query that took longer than it may. */
export function tooCostly(limitMs: number, cause?: unknown): QueryTooCostly {
  return new QueryTooCostly(
    `the query took longer than QUERY_TIMEOUT_SECONDS (${limitMs / 1000} s): ${advice}; ${otherCause}`,
    {
      cause,
    },
  );
}

/** The error of a query that needed more space for temporary files than it may take. */
export function tooLargeForDisk(cause: unknown): QueryTooCostly {
  return new QueryTooCostly(
    `the query needs more space on the database's disk than a query may take (temp_file_limit): ${advice}`,
    { cause },
  );
}
