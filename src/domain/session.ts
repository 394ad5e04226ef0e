/** A session, as it begins. */
export interface NewSession {
  /** Of the text that the browser has. */
  readonly sha256: string;
  /** Names the session to people; no secret. */
  readonly id: string;
  /** Who has signed in the person. */
  readonly issuer: string;
  readonly subject: string;
  /** For people. */
  readonly name: string;
  readonly groups: readonly string[];
  /** By the database's clock. */
  readonly lifeSeconds: number;
}

/** A session in the store. Instants are in ms since the epoch. */
export interface StoredSession extends Omit<NewSession, "lifeSeconds"> {
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}
