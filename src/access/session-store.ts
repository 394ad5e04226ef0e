import type { NewSession, StoredSession } from "../domain/session.ts";

/** Keeps sessions. Every call throws StoreUnavailable (retryable) while the database does not answer. */
export interface SessionStore {
  /** Adds a session, and deletes those that have expired, and the oldest ones of a subject who has more than 20. */
  add(session: NewSession): Promise<void>;
  /** The sessions with these hashes that have not ended or expired. */
  find(sha256s: readonly string[]): Promise<StoredSession[]>;
  /** The sessions that have not ended or expired, the newest first. */
  list(limit: number): Promise<StoredSession[]>;
  /** Ends a session. @returns undefined if there is no such session */
  end(by: { readonly id: string } | { readonly sha256: string }): Promise<StoredSession | undefined>;
}

/** What an administrator does with sessions. Every call throws StoreUnavailable (retryable) while the database does not answer. */
export interface SessionAdministration {
  /** The sessions that have not ended or expired, the newest first. */
  list(limit: number): Promise<StoredSession[]>;
  /** Ends a session, everywhere within 5 s. @returns undefined if there is no such session */
  revoke(id: string): Promise<StoredSession | undefined>;
}
