import type { SqlClient } from "../../../db/client.ts";
import { createStoreId, readStoreId } from "../../../db/sql/store-identity.ts";
import { StoreUnavailable } from "../../../domain/errors.ts";
import type { StoreIdentity } from "../store-identity.ts";

/** The id of a store, in a table with one row. */
export class SqlStoreIdentity implements StoreIdentity {
  constructor(private readonly client: SqlClient) {}

  read(): Promise<string | undefined> {
    return readStoreId(this.client);
  }

  async ensure(): Promise<string> {
    const existing = await this.read();
    if (existing !== undefined) return existing;
    await this.client.transaction(createStoreId);
    const created = await this.read();
    if (created === undefined) throw new StoreUnavailable("the table store_identity does not keep its row");
    return created;
  }
}
