import { LeaseSession, type LeaseSessionOptions } from "../../../etcd/lease-session.ts";

/** A consumer's lease, and the claims that end with it.
 *
 *  OPEN (claims are made under it) -retire-> RETIRED (only finishes the claims it holds) -none held-> REVOKED.
 *  A claim whose outcome is unknown may exist in etcd without being held here: the session is then retired. The end of its
 *  lease releases the claim; a claim that etcd processes later is refused, since the lease has ended. */
export class ConsumerSession {
  private readonly held = new Set<string>();
  private retired = false;

  private constructor(private readonly lease: LeaseSession) {}

  static async open(options: LeaseSessionOptions): Promise<ConsumerSession> {
    return new ConsumerSession(await LeaseSession.open(options));
  }

  get leaseId(): string {
    return this.lease.leaseId;
  }

  /** True if claims may be made under the lease. */
  get isOpen(): boolean {
    return !this.retired && !this.lease.signal.aborted;
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

  /** Releases every claim at once. */
  close(): Promise<void> {
    this.retired = true;
    return this.lease.close();
  }
}
