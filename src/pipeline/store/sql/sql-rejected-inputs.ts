import type { SqlClient } from "../../../db/client.ts";
import { deleteRejection, selectRejection } from "../../../db/sql/select-rejections.ts";
import type { StoredRejection } from "../../../domain/query.ts";
import type { RejectedInputs } from "../rejected-inputs.ts";

/** The rejected inputs in a SQL database. */
export class SqlRejectedInputs implements RejectedInputs {
  constructor(private readonly client: SqlClient) {}

  get(id: number): Promise<StoredRejection | undefined> {
    return selectRejection(this.client, id);
  }

  delete(id: number): Promise<boolean> {
    return deleteRejection(this.client, id);
  }
}
