/** Runs statements. Within a transaction, either all of them take effect or none. */
export interface SqlExecutor {
  /** @param params texts, numbers, booleans or null, for $1, $2, ... in the text */
  query<Row>(text: string, params?: readonly unknown[]): Promise<Row[]>;
}

/** Runs the statements of one transaction. Statements that are not awaited one by one run in the order of their calls, and travel
 *  to the server together. */
export interface SqlTransaction extends SqlExecutor {
  /** Runs a statement without waiting for it, so that it travels with the next statement or with the commit: while a transaction
   *  holds locks, each answer that it waits for is a time in which others wait for it. If the statement fails, the transaction
   *  fails with its error.
   *  @param params as for `query` */
  send(text: string, params?: readonly unknown[]): void;
  /** Runs an insert, update or delete. To count rows that it returns would take a quarter of its time again.
   *  @param params as for `query`
   *  @returns the number of rows that it changed */
  change(text: string, params?: readonly unknown[]): Promise<number>;
  /** Adds rows to a table by COPY. If the key of a row exists already, no row is added, and the earlier statements of the
   *  transaction keep their effect.
   *  @param into the table with its columns, e.g. `telemetry (gpu_key, time)`
   *  @param rows in COPY's binary format
   *  @returns false if the key of a row exists already */
  copy(into: string, rows: Uint8Array): Promise<boolean>;
}

/** Reads from a database. */
export interface SqlReads extends SqlExecutor {
  /** Runs the statements of `work` so that all of them see the database as it was at the first one. They may only read. Statements
   *  that are not awaited one by one travel to the server together. In the embedded database, nothing else runs meanwhile. */
  snapshot<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T>;
}

/** A database as the store sees it. The driver's errors are translated into StoreUnavailable, StoreRejected or, for a query
 *  that exceeds the client's time limit, QueryTooCostly. */
export interface SqlClient extends SqlReads {
  /** Commits the statements of `work` when `work` resolves, and undoes them when it throws. */
  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T>;
  /** Runs the statements of `work` on one connection, each in a transaction of its own. They run in the order of their calls, and
   *  those that are not awaited one by one travel to the server together. */
  inOrder<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T>;
  /** Runs statements until their results are not needed any more. When `signal` aborts, the statement under way is cancelled in the database
   *  (in the embedded one, which cannot cancel, it is the last one that runs), one that waits is not begun, and both throw the
   *  signal's reason. */
  until(signal: AbortSignal): SqlReads;
  close(): Promise<void>;
}
