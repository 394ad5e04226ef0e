/** A call of PGlite. `prepared` and `change` are for the texts of transactions, of which there are few; `query` for all others; `copy` adds
 *  rows in COPY's binary format to a table with its columns. */
export type PGliteCall =
  | { readonly kind: "query" | "prepared" | "change"; readonly text: string; readonly params: readonly unknown[] }
  | { readonly kind: "copy"; readonly into: string; readonly rows: Uint8Array }
  | { readonly kind: "commit" };

/** What a call resolves to: the rows of a statement; for `change`, the number of rows that it changed; for `copy`, false if the key of a row
 *  exists already. */
export type PGliteAnswer = readonly unknown[] | number | boolean;

/** The one session of a running PGlite. */
export interface PGliteConnection {
  /** Runs a call after those before it.
   *  @param limitMs the time that it may take, if the connection can end it
   *  @throws an error of PostgreSQL, with its SQLSTATE as `code`; CallTooLong; PGliteEnded */
  run(call: PGliteCall, limitMs: number): Promise<PGliteAnswer>;
}

/** Opens the connection again when PGlite has ended. */
export interface PGliteSession {
  /** The connection to the running PGlite. A transaction uses one connection from its beginning to its end.
   *  @throws PGliteEnded if PGlite cannot be started again */
  connection(): Promise<PGliteConnection>;
  close(): Promise<void>;
}

/** PGlite has ended, with all that was not committed. */
export class PGliteEnded extends Error {}

/** A call took longer than it may; PGlite was ended for it. */
export class CallTooLong extends Error {
  constructor(readonly limitMs: number) {
    super(`a statement was not done after ${limitMs / 1000} s`);
  }
}
