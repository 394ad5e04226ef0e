/** The settings of /ws. */
export interface LiveSettings {
  readonly wsMaxConnections: number;
  /** The maximum number of subscriptions of one connection. */
  readonly wsMaxSubscriptions: number;
  /** How long a client may read nothing while messages wait for it. */
  readonly wsStallTimeoutMs: number;
  /** How long a connection may be silent; pongs to the server's pings count as activity. */
  readonly wsIdleTimeoutMs: number;
  /** The maximum number of records of the history that one subscription receives. */
  readonly wsReplayMaxRecords: number;
}
