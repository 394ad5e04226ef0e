import type { Logger } from "pino";
import type { EtcdClient } from "../../etcd/etcd-client.ts";
import type { LeaseSignKeys } from "../../etcd/lease-signs.ts";
import { prefixRange, put } from "../../etcd/requests.ts";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";

export interface DeadLeasesOptions {
  readonly client: EtcdClient;
  readonly keys: LeaseSignKeys;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A lease's sign as it was seen last, and for how long it has not been written again while etcd took writes. */
interface SeenSign {
  readonly revision: string;
  readonly stillMs: number;
}

/** A lease is dead after so many times its duration without a sign. Its process writes one every third of the duration, and
 *  itself takes the lease for lost when it has not been able to renew it for the whole duration. */
const patience = 1.5;

/** Ends the leases of dead processes that etcd keeps alive: an etcd that starts, or elects a leader, gives every lease its whole time
 *  again, so that leases never end while that happens more often than a lease lasts, and what their processes had claimed stays claimed.
 *  Compares no clocks of different machines, and looks only while etcd takes writes of this process: while it takes none, a sign
 *  that is missing says nothing. A lease without a sign, such as one of an earlier version, is left to etcd. */
export class DeadLeases extends PeriodicService {
  override readonly isUpkeep = true;
  private seen = new Map<string, SeenSign>();
  /** The time since the last step that succeeded. */
  private sinceStep: (() => number) | undefined;

  constructor(private readonly options: DeadLeasesOptions) {
    super({
      ...options,
      name: "dead-leases",
      failing: {
        prefix: "leases of dead processes are not looked for",
        ended: "leases of dead processes are looked for again",
      },
    });
  }

  protected override async step(): Promise<void> {
    const { client, keys } = this.options;
    const { responses } = await client.txn({
      success: [put(keys.rollCall, ""), { request_range: prefixRange(keys.signs) }],
    });
    const passedMs = this.sinceStep?.() ?? 0;
    this.sinceStep = stopwatch();
    const seen = new Map<string, SeenSign>();
    for (const { key, value, mod_revision: revision, lease } of responses[1]?.response_range.kvs ?? []) {
      const lastsMs = Number(value.toString()) * 1000;
      const before = this.seen.get(key.toString());
      // a step counts for little, however long ago the last one was: after an outage of etcd, or when the whole machine was suspended,
      // the other process gets the time to write its sign
      const stillMs = before?.revision === revision ? before.stillMs + Math.min(passedMs, lastsMs / 3) : 0;
      if (stillMs > patience * lastsMs) await this.endLease(lease, stillMs);
      else seen.set(key.toString(), { revision, stillMs });
    }
    this.seen = seen;
  }

  private async endLease(leaseId: string, stillMs: number): Promise<void> {
    const { client, log } = this.options;
    // another process may have been faster
    if (!(await client.revokeLease(leaseId))) return;
    log.warn(
      { leaseId, seconds: Math.round(stillMs / 1000) },
      "a process has written no sign, and etcd keeps its lease; the lease is ended, so that others can take what the process had",
    );
  }
}
