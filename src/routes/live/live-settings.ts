/** What an operator may configure of /ws. */
export interface LiveSettings {
  readonly wsMaxConnections: number;
  /** For one connection. */
  readonly wsMaxSubscriptions: number;
  /** How long a client may read nothing while something waits to be sent. */
  readonly wsStallTimeoutMs: number;
  /** How long a connection may be silent; the server's pings ask for a sign of life. */
  readonly wsIdleTimeoutMs: number;
  /** Records of the history that one subscription may request. */
  readonly wsReplayMaxRecords: number;
}
