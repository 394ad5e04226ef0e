/** The keys of a pipeline by which its processes see which leases are those of living processes. They are among the keys of its queue,
 *  so that a user of etcd who may use the queue may write them. */
export interface LeaseSignKeys {
  /** Before the id of a lease: the sign of the process that has the lease. */
  readonly signs: string;
  /** It is written to see that etcd takes writes. */
  readonly rollCall: string;
}

/** The keys of the pipeline with this topic. */
export function leaseSignKeys(topic: string): LeaseSignKeys {
  const root = `/queue/${encodeURIComponent(topic)}/`;
  return { signs: `${root}signs/`, rollCall: `${root}roll-call` };
}
