/** One thing that a client did, or was refused. Instants are in ms since the epoch. */
export interface AuditEntry {
  readonly atMs: number;
  /** Empty if no valid key was given. */
  readonly keyId: string;
  readonly keyName: string;
  /** The client's address. */
  readonly address: string;
  /** The operation's id, `Mutation.field` of GraphQL, or a message of /ws. */
  readonly action: string;
  /** What it was done to. */
  readonly target: string;
  /** `ok`, the status of an error, or the code of a refusal. */
  readonly result: string;
  /** So many equal refusals. */
  readonly count: number;
}

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
