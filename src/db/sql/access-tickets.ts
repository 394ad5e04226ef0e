import type { SqlExecutor } from "../client.ts";

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

/** Deletes a ticket. @returns the id of its key; undefined if there is no such ticket, or it has expired */
export async function deleteTicket(executor: SqlExecutor, sha256: string): Promise<string | undefined> {
  const text = `delete from access_tickets where sha256 = $1 and expires_at > now() returning key_id as "keyId"`;
  return (await executor.query<{ keyId: string }>(text, [sha256]))[0]?.keyId;
}
