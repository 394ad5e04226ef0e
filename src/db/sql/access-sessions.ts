import type { NewSession, StoredSession } from "../../domain/session.ts";
import type { SqlExecutor } from "../client.ts";
import { epochMs } from "./epoch-ms.ts";

const columns = `sha256, id, issuer, subject, name, groups, ${epochMs("created_at")} as "createdAtMs", ${epochMs("expires_at")} as "expiresAtMs"`;

/** Adds a session, and deletes those that have expired and all but the newest `keep` others of its subject. */
export async function insertSession(executor: SqlExecutor, session: NewSession, keep: number): Promise<void> {
  const { sha256, id, issuer, subject, name, groups, lifeSeconds } = session;
  await executor.query("delete from access_sessions where expires_at <= now()");
  const surplus = `
delete from access_sessions where sha256 in (
  select sha256 from access_sessions where issuer = $1 and subject = $2 order by created_at desc, sha256 offset $3::int
)`;
  await executor.query(surplus, [issuer, subject, keep]);
  const text = `
insert into access_sessions (sha256, id, issuer, subject, name, groups, expires_at)
values ($1, $2, $3, $4, $5, $6::text::jsonb, now() + make_interval(secs => $7::float8))`;
  await executor.query(text, [sha256, id, issuer, subject, name, JSON.stringify(groups), lifeSeconds]);
}

/** Reads the sessions with these hashes that have not expired. */
export function selectSessions(executor: SqlExecutor, sha256s: readonly string[]): Promise<StoredSession[]> {
  const text = `select ${columns} from access_sessions
where sha256 in (select jsonb_array_elements_text($1::text::jsonb)) and expires_at > now()`;
  return executor.query<StoredSession>(text, [JSON.stringify(sha256s)]);
}

/** Reads all sessions that have not expired, the newest first. */
export function selectAllSessions(executor: SqlExecutor, limit: number): Promise<StoredSession[]> {
  const text = `select ${columns} from access_sessions where expires_at > now() order by created_at desc, sha256 limit $1::int`;
  return executor.query<StoredSession>(text, [limit]);
}

/** Deletes a session that has not expired. @returns undefined if there is no such session */
export async function deleteSession(
  executor: SqlExecutor,
  by: { readonly id: string } | { readonly sha256: string },
): Promise<StoredSession | undefined> {
  const [column, value] = "id" in by ? ["id", by.id] : ["sha256", by.sha256];
  const text = `delete from access_sessions where ${column} = $1 and expires_at > now() returning ${columns}`;
  return (await executor.query<StoredSession>(text, [value]))[0];
}
