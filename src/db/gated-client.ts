import type { SqlClient, SqlExecutor, SqlReads, SqlTransaction } from "./client.ts";

/** Passes queries and transactions on to a client, unless `check` throws. */
export class GatedClient implements SqlClient {
  constructor(
    private readonly client: SqlClient,
    private readonly check: () => void,
  ) {}

  async query<Row>(text: string, params?: readonly unknown[]): Promise<Row[]> {
    this.check();
    return this.client.query(text, params);
  }

  async transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    this.check();
    return this.client.transaction(work);
  }

  async inOrder<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    this.check();
    return this.client.inOrder(work);
  }

  async snapshot<T>(work: (executor: SqlExecutor) => Promise<T>): Promise<T> {
    this.check();
    return this.client.snapshot(work);
  }

  until(signal: AbortSignal): SqlReads {
    const statements = this.client.until(signal);
    return {
      query: async (text, params) => {
        this.check();
        return statements.query(text, params);
      },
      snapshot: async (work) => {
        this.check();
        return statements.snapshot(work);
      },
    };
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
