/** A time in which this process leads. */
export interface Term {
  /** Grows from one term to the next, across processes: with etcd, the revision at which the leader's key was created. */
  readonly revision: string;
  /** The key that exists while the term lasts. */
  readonly leaderKey: string;
  /** The lease of that key, for keys that must end with the term. */
  readonly leaseId: string;
  /** Aborts when the term has ended, as far as this process knows. A process that was frozen learns it late: each write of a leader must
   *  therefore prove its term. */
  readonly ended: AbortSignal;
  /** Ends the term, so that another process can lead at once. Idempotent. */
  resign(): Promise<void>;
}

/** The process that leads. */
export interface Leader {
  readonly instanceId: string;
  readonly term: string;
  /** When its term began, milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** Chooses one of several processes. If the leader dies, another leads when the leader's lease ends. */
export interface LeaderElection {
  /** Waits until this process leads.
   *  @param onStandBy called with each attempt that has found another process leading
   *  @returns undefined if the signal aborted before
   *  @throws an error of the driver */
  campaign(signal: AbortSignal, onStandBy?: () => void): Promise<Term | undefined>;
}
