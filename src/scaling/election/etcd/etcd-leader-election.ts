import type { ICompare } from "etcd3";
import { LeaseGone } from "../../../domain/errors.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { LeaseSession } from "../../../etcd/lease-session.ts";
import { isAbsent, put, wasCreatedAt } from "../../../etcd/requests.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { Leader, LeaderElection, Term } from "../leader-election.ts";
import { leaderText } from "./leader-text.ts";

export interface EtcdLeaderElectionOptions {
  readonly client: EtcdClient;
  /** The key that the leader has. */
  readonly leaderKey: string;
  readonly instanceId: string;
  /** Time after which another process leads if the leader dies. */
  readonly leaseSeconds: number;
  readonly clock: Clock;
}

/** The pause between two attempts of a process that does not lead. */
const attemptMs = 1000;

/** The comparison that every write of a leader carries: false once the term has ended, even if the same process leads again. */
export function fenced({ leaderKey, revision }: Term): ICompare {
  return wasCreatedAt(leaderKey, revision);
}

/** Elects by a key in etcd that is bound to the leader's lease. The first process that creates the key leads. */
export class EtcdLeaderElection implements LeaderElection {
  constructor(private readonly options: EtcdLeaderElectionOptions) {}

  async campaign(signal: AbortSignal, onStandBy?: () => void): Promise<Term | undefined> {
    const { client, clock, leaseSeconds: ttlSeconds } = this.options;
    if (signal.aborted) return undefined;
    let session: LeaseSession | undefined;
    try {
      while (!signal.aborted) {
        if (session?.signal.aborted !== false) session = await LeaseSession.open({ client, clock, ttlSeconds });
        const term = await this.attempt(session);
        if (term !== undefined) {
          session = undefined;
          return term;
        }
        if (!session.signal.aborted) onStandBy?.();
        await clock.sleep(attemptMs, signal);
      }
      return undefined;
    } finally {
      // without a term, the lease is of no use
      await session?.close();
    }
  }

  private async attempt(session: LeaseSession): Promise<Term | undefined> {
    const { client, leaderKey, instanceId, clock } = this.options;
    const leader: Omit<Leader, "term"> = { instanceId, sinceMs: clock.nowMs() };
    try {
      const { succeeded, revision } = await client.txn({
        compare: [isAbsent(leaderKey)],
        success: [put(leaderKey, leaderText(leader), session.leaseId)],
      });
      if (!succeeded) return undefined;
      const { leaseId, signal: ended } = session;
      return { revision, leaderKey, leaseId, ended, resign: () => session.close() };
    } catch (error) {
      if (!(error instanceof LeaseGone)) throw error;
      session.markLost();
      return undefined;
    }
  }
}
