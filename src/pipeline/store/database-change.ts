/** How the database that answers at an address differs from the one that answered before. `restarted`: a new server process
 *  with the same data. `replaced`: another server that has what this process stored. `went_back`: a database that lacks a
 *  message that this process had stored. `migrated`: the same database, after a newer version of this program has migrated it. */
export type DatabaseChangeKind = "restarted" | "replaced" | "went_back" | "migrated";

/** A change of the database at an address. */
export interface DatabaseChange {
  readonly kind: DatabaseChangeKind;
  /** What happened and what to do, for people. */
  readonly text: string;
}

/** Receives every change of the database. It must not throw or wait. */
export type OnDatabaseChange = (change: DatabaseChange) => void;
