/** Runs statements. Within a transaction either all of them take effect or none. */
export interface SqlExecutor {
  /** @param params texts, numbers, booleans or null, for $1, $2, ... in the text */
  query<Row>(text: string, params?: readonly unknown[]): Promise<Row[]>;
}

/** Runs the statements of one transaction. */
export interface SqlTransaction extends SqlExecutor {
  /** Streams rows into a table by COPY: all of them or, if the key of one exists already, none. Earlier statements of the
   *  transaction keep their effect.
   *  @param into the table with its columns, e.g. `telemetry (gpu_key, time)`
   *  @param rows in COPY's binary format
   *  @returns false if a key exists already */
  copy(into: string, rows: Uint8Array): Promise<boolean>;
}

/** A database as the store sees it. Its errors are StoreUnavailable, StoreRejected or, for a query that exceeds a client's time
 *  limit, QueryTooCostly, whatever the driver threw. */
export interface SqlClient extends SqlExecutor {
  /** Commits the statements of `work` when it resolves, undoes them when it throws. */
  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
