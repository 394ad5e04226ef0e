/** What an operator may set of /ws. */
export interface LiveSettings {
  readonly wsMaxConnections: number;
  /** Of one connection. */
  readonly wsMaxSubscriptions: number;
  /** How long a client may read nothing while something is to be sent. */
  readonly wsStallTimeoutMs: number;
  /** How long a connection may stay without a sign of life; pings ask for one. */
  readonly wsIdleTimeoutMs: number;
  /** Records that one subscription may ask for out of the history. */
  readonly wsReplayMaxRecords: number;
}
