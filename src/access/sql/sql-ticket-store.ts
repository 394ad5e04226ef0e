import type { SqlClient } from "../../db/client.ts";
import { deleteTicket, insertTicket } from "../../db/sql/access-tickets.ts";
import type { TicketStore } from "../tickets.ts";

/** Keeps the hashes of tickets in SQL. */
export class SqlTicketStore implements TicketStore {
  constructor(private readonly client: SqlClient) {}

  async add(sha256: string, reference: string, lifeSeconds: number): Promise<void> {
    await this.client.transaction((executor) => insertTicket(executor, { sha256, keyId: reference, lifeSeconds }));
  }

  take(sha256: string): Promise<string | undefined> {
    return this.client.transaction((executor) => deleteTicket(executor, sha256));
  }
}
