import type { SqlClient } from "../../db/client.ts";
import { deleteTickets, insertTicket } from "../../db/sql/access-tickets.ts";
import type { TicketStore } from "../tickets.ts";

/** Keeps the hashes of tickets in SQL. */
export class SqlTicketStore implements TicketStore {
  constructor(private readonly client: SqlClient) {}

  async add(sha256: string, reference: string, lifeSeconds: number): Promise<void> {
    await this.client.transaction((executor) => insertTicket(executor, { sha256, keyId: reference, lifeSeconds }));
  }

  take(sha256s: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.client.transaction((executor) => deleteTickets(executor, sha256s));
  }
}
