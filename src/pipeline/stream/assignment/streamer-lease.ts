import type { Clock } from "../../../kit/clock.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { LeaseSession } from "../../../etcd/lease-session.ts";

export interface StreamerLeaseOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** Time after which everything that a dead or disconnected streamer owns can be claimed by others. */
  readonly leaseSeconds: number;
  /** See LeaseSessionOptions. */
  readonly signs?: string | undefined;
}

/** The lease under which a streamer owns ranges or sources in etcd; opened when it is needed, and again after a loss. */
export class StreamerLease {
  private session: LeaseSession | undefined;
  /** Claims that begin together share one lease: etcd would keep one for each otherwise, and renewals would be as many. */
  private opening: Promise<LeaseSession> | undefined;

  constructor(private readonly options: StreamerLeaseOptions) {}

  /** Makes a change that binds keys to the lease. @throws the error of the change, or of opening the lease */
  async change<T>(change: (session: LeaseSession) => Promise<T>): Promise<T> {
    const session = await this.open();
    return endLeaseOnError(session, () => change(session));
  }

  async close(): Promise<void> {
    await this.opening?.catch(() => undefined);
    await this.session?.close();
  }

  private async open(): Promise<LeaseSession> {
    if (this.session !== undefined && !this.session.signal.aborted) return this.session;
    const { client, clock, leaseSeconds: ttlSeconds, signs } = this.options;
    this.opening ??= LeaseSession.reopen(this.session, { client, clock, ttlSeconds, signs }).finally(
      () => (this.opening = undefined),
    );
    return (this.session = await this.opening);
  }
}

/** Ends the lease if a change fails, because the change may have been made anyway. Otherwise this process might own keys
 *  without knowing it, and all other streamers would wait for these keys as long as this process runs.
 *  @throws the change's error */
export async function endLeaseOnError<T>(session: LeaseSession, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    await session.close();
    throw error;
  }
}
