/** Runs statements; inside a transaction all of them take effect or none. */
export interface SqlExecutor {
  /** @param params texts, numbers, booleans or null, named $1, $2, ... in the text */
  query<Row>(text: string, params?: readonly unknown[]): Promise<Row[]>;
}

/** A database as the store sees it; errors are already StoreUnavailable or StoreRejected. */
export interface SqlClient extends SqlExecutor {
  /** Commits what `work` did when it resolves, undoes it when it throws. */
  transaction<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
