import type { SqlExecutor } from "../client.ts";
import { textArray } from "./array-literal.ts";

/** Adds a ticket, and deletes those that have expired. */
export async function insertTicket(
  executor: SqlExecutor,
  ticket: { readonly sha256: string; readonly keyId: string; readonly lifeSeconds: number },
): Promise<void> {
  await executor.query("delete from access_tickets where expires_at <= now()");
  const text =
    "insert into access_tickets (sha256, key_id, expires_at) values ($1, $2, now() + make_interval(secs => $3::float8))";
  await executor.query(text, [ticket.sha256, ticket.keyId, ticket.lifeSeconds]);
}

/** Deletes tickets. @returns the ids of the keys of those that there were, and that have not expired, by hash */
export async function deleteTickets(
  executor: SqlExecutor,
  sha256s: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const text = `delete from access_tickets where sha256 = any($1::text::text[]) and expires_at > now() returning sha256, key_id as "keyId"`;
  const rows = await executor.query<{ sha256: string; keyId: string }>(text, [textArray(sha256s)]);
  return new Map(rows.map(({ sha256, keyId }) => [sha256, keyId]));
}
