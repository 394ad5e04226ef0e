import type { PGliteAnswer, PGliteCall } from "./pglite-connection.ts";

/** What a process sends to the process of its embedded database. */
export type ToPGlite = { readonly id: number; readonly call: PGliteCall } | "close";

/** An error of PostgreSQL, as it travels between processes. */
export interface PGliteFailure {
  readonly message: string;
  /** SQLSTATE, or the code of a TelemetryError; undefined if PGlite itself has failed, and cannot be used any more. */
  readonly code: string | undefined;
}

/** What the process of an embedded database sends. */
export type FromPGlite =
  | { readonly opened: true }
  | { readonly notOpened: PGliteFailure }
  | { readonly id: number; readonly answer: PGliteAnswer }
  | { readonly id: number; readonly failure: PGliteFailure };
