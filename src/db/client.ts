/** Runs statements; inside a transaction all of them take effect or none. */
export interface SqlExecutor {
  /** @param params texts, numbers, booleans or null, named $1, $2, ... in the text */
  query<Row>(text: string, params?: readonly unknown[]): Promise<Row[]>;
}

/** Runs the statements of one transaction. */
export interface SqlTransaction extends SqlExecutor {
  /** Streams rows into a table by COPY: all of them or, where one has a key that is there already, none; what the
   *  transaction did before stays.
   *  @param into the table with its columns, `telemetry (gpu_key, time)`
   *  @param rows in COPY's binary format
   *  @returns false where a key is there already */
  copy(into: string, rows: Uint8Array): Promise<boolean>;
}

/** A database as the store sees it; errors are already StoreUnavailable or StoreRejected. */
export interface SqlClient extends SqlExecutor {
  /** Commits what `work` did when it resolves, undoes it when it throws. */
  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
