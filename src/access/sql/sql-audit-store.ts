import type { SqlClient } from "../../db/client.ts";
import { deleteOldAudit, insertAudit, selectAudit } from "../../db/sql/audit-entries.ts";
import type { AuditStore, StoredAuditEntry } from "../audit.ts";
import type { AuditEntry } from "../../domain/audit-entry.ts";

/** Refusals that more entries than this follow are deleted, so that a flood of them fills no disk. */
const maxEntries = 1_000_000;
const rowsPerDelete = 10_000;

/** Keeps the audit log in SQL. */
export class SqlAuditStore implements AuditStore {
  constructor(private readonly client: SqlClient) {}

  async add(entries: readonly AuditEntry[]): Promise<void> {
    await this.client.transaction((executor) => insertAudit(executor, entries));
  }

  list(limit: number, beforeId: number | undefined): Promise<StoredAuditEntry[]> {
    return selectAudit(this.client, limit, beforeId ?? null);
  }

  async deleteOld(days: number): Promise<boolean> {
    const limits = { days, maxEntries, maxRows: rowsPerDelete };
    const deleted = await this.client.transaction((executor) => deleteOldAudit(executor, limits));
    return deleted === rowsPerDelete;
  }
}
