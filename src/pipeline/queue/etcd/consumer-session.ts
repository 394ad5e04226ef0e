import { LeaseSession, type LeaseSessionOptions } from "../../../etcd/lease-session.ts";

/** A consumer's lease and the claims that hang on it.
 *
 *  OPEN (claims are made under it) -retire-> RETIRED (only finishes what it holds) -nothing held-> REVOKED.
 *  A claim whose outcome is unknown may be held by the lease without anybody knowing: such a session is retired, and its
 *  end frees the claim, also one that etcd carries out late (it is refused then: the lease is gone). */
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

  /** True while claims may be made under it. */
  get isOpen(): boolean {
    return !this.retired && !this.lease.signal.aborted;
  }

  hold(token: string): void {
    this.held.add(token);
  }

  /** A claim of it has ended, one way or the other. */
  async release(token: string): Promise<void> {
    this.held.delete(token);
    if (this.retired && this.held.size === 0) await this.lease.close();
  }

  async retire(): Promise<void> {
    this.retired = true;
    if (this.held.size === 0) await this.lease.close();
  }

  /** etcd has told that the lease is gone. */
  markLost(): void {
    this.lease.markLost();
  }

  /** Gives back at once whatever it holds. */
  close(): Promise<void> {
    this.retired = true;
    return this.lease.close();
  }
}
