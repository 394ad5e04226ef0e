/** Why a query has no answer, in the words of Prometheus' HTTP API.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview */
export type PromqlErrorType = "bad_data" | "execution" | "timeout";

/** A query that cannot be answered. `bad_data`: the query or a parameter is wrong, or not supported; `execution`: the data does not fit
 *  it, or it needs too much; `timeout`: it took too long. */
export class PromqlError extends Error {
  constructor(
    readonly type: PromqlErrorType,
    message: string,
  ) {
    super(message);
    this.name = "PromqlError";
  }
}

/** The error for a query that is wrong, or not supported. */
export function badData(message: string): PromqlError {
  return new PromqlError("bad_data", message);
}

/** The error for a query that does not fit the data. */
export function failed(message: string): PromqlError {
  return new PromqlError("execution", message);
}
