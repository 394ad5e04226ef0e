import type { AuditEntry, refusalResults } from "../domain/audit-entry.ts";

/** The results of refusals. */
export type RefusalResult = (typeof refusalResults)[number];

/** A stored entry. */
export interface StoredAuditEntry extends AuditEntry {
  readonly id: number;
}

/** Receives what clients do. Never throws, and never waits. */
export interface AuditTrail {
  /** A state was changed, or the change failed. */
  changed(entry: Omit<AuditEntry, "atMs" | "count">): void;
  /** A request was refused. */
  refused(entry: Omit<AuditEntry, "atMs" | "count">): void;
}

/** Keeps the entries. Every call throws StoreUnavailable (retryable) while the database does not answer. */
export interface AuditStore {
  add(entries: readonly AuditEntry[]): Promise<void>;
  /** The newest entries before the one with the id `beforeId`, the newest first.
   *  @param beforeId undefined: from the newest of all */
  list(limit: number, beforeId: number | undefined): Promise<StoredAuditEntry[]>;
  /** Deletes some of the entries that are older than `days`, and of the oldest refusals beyond a million entries.
   *  @param days 0: no entry is too old
   *  @returns whether there may be more of them */
  deleteOld(days: number): Promise<boolean>;
}
