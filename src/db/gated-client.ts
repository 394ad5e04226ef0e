import type { SqlClient, SqlTransaction } from "./client.ts";

/** Passes statements on to a client as long as `check` does not throw. */
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

  close(): Promise<void> {
    return this.client.close();
  }
}
