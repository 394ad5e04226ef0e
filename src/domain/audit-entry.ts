/** One thing that a client did, or was refused. Instants are in ms since the epoch. */
export interface AuditEntry {
  readonly atMs: number;
  /** Empty if no valid key was given. */
  readonly keyId: string;
  readonly keyName: string;
  /** The client's address. */
  readonly address: string;
  /** The operation's id, `Mutation.field` of GraphQL, a message of /ws, or a method and a path. */
  readonly action: string;
  /** What it was done to; of a request that was refused for its host or origin, these. */
  readonly target: string;
  /** `ok`, the status of an error, or the code of a refusal. */
  readonly result: string;
  /** So many equal refusals. */
  readonly count: number;
}

/** What `result` is for refusals, of which only the newest are kept. */
export const refusalResults = ["unauthenticated", "forbidden", "host_not_allowed", "cross_origin"] as const;
