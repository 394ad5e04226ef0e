import { LeaseSession, type LeaseSessionOptions } from "../../../etcd/lease-session.ts";

/** A consumer's lease, and the claims that end with it.
 *
 *  OPEN (accepts new claims) -retire-> RETIRED (only finishes its claims) -last claim has ended-> REVOKED
 *  OPEN, RETIRED -close-> REVOKED; OPEN, RETIRED -the lease is lost-> LOST
 *
 *  If the outcome of a claim is unknown, the claim may exist in etcd although the session does not hold it. The session is
 *  then retired: the end of its lease releases the claim, and etcd refuses a claim that arrives after that. */
export class ConsumerSession {
  private readonly held = new Set<string>();
  private retired = false;

  private constructor(private readonly lease: LeaseSession) {}

  /** @param before the session that this one follows, if there was one. Its lease is ended if it is lost: etcd may have kept it */
  static async open(options: LeaseSessionOptions, before?: ConsumerSession): Promise<ConsumerSession> {
    return new ConsumerSession(await LeaseSession.reopen(before?.isLost ? before.lease : undefined, options));
  }

  get leaseId(): string {
    return this.lease.leaseId;
  }

  /** True if new claims may be made under the lease. */
  get isOpen(): boolean {
    return !this.retired && !this.lease.signal.aborted;
  }

  private get isLost(): boolean {
    return !this.retired && this.lease.signal.aborted;
  }

  hold(token: string): void {
    this.held.add(token);
  }

  /** Call this when one of the session's claims has ended. */
  async release(token: string): Promise<void> {
    this.held.delete(token);
    if (this.retired && this.held.size === 0) await this.lease.close();
  }

  async retire(): Promise<void> {
    this.retired = true;
    if (this.held.size === 0) await this.lease.close();
  }

  /** Call this when etcd has reported that the lease has ended. */
  markLost(): void {
    this.lease.markLost();
  }

  /** Ends the lease, and with it every claim. If etcd does not answer, the lease expires later. */
  close(): Promise<void> {
    this.retired = true;
    return this.lease.close();
  }
}
