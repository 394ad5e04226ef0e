import type { SqlClient } from "../../db/client.ts";
import { deleteSession, insertSession, selectAllSessions, selectSessions } from "../../db/sql/access-sessions.ts";
import type { NewSession, StoredSession } from "../../domain/session.ts";
import type { SessionStore } from "../session-store.ts";

/** Sessions of a subject in addition to a new one; older ones end. */
const maxOthers = 19;

/** Keeps sessions in SQL. */
export class SqlSessionStore implements SessionStore {
  constructor(private readonly client: SqlClient) {}

  async add(session: NewSession): Promise<void> {
    await this.client.transaction((executor) => insertSession(executor, session, maxOthers));
  }

  find(sha256s: readonly string[]): Promise<StoredSession[]> {
    return selectSessions(this.client, sha256s);
  }

  list(limit: number): Promise<StoredSession[]> {
    return selectAllSessions(this.client, limit);
  }

  end(by: Parameters<SessionStore["end"]>[0]): Promise<StoredSession | undefined> {
    return this.client.transaction((executor) => deleteSession(executor, by));
  }
}
