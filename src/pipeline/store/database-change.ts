/** How the database that answers at an address differs from the one that answered before. `restarted`: the same data, in a new
 *  server process. `replaced`: another server, which has what this process stored. `went_back`: it lacks a message that this
 *  process had stored. */
export type DatabaseChangeKind = "restarted" | "replaced" | "went_back";

/** A change of the database at an address. */
export interface DatabaseChange {
  readonly kind: DatabaseChangeKind;
  /** What happened and what to do, for people. */
  readonly text: string;
}

/** Receives every change of the database. It must not throw or wait. */
export type OnDatabaseChange = (change: DatabaseChange) => void;
