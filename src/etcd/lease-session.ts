import { EtcdUnavailable } from "../domain/errors.ts";
import { type Clock, stopwatch } from "../kit/clock.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { put } from "./requests.ts";

export interface LeaseSessionOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** Time after which etcd ends a lease that is not renewed; at least 2. */
  readonly ttlSeconds: number;
  /** The prefix of the keys that processes keep writing under their leases, so that others see that they are alive; absent: none. */
  readonly signs?: string | undefined;
}

/** The pause before a failed renewal is tried again. */
const retryMs = 250;

/** The key of a lease's sign: its value is the seconds that the lease lasts, and each renewal writes it again. A renewal itself
 *  leaves no trace that another process could see. */
export const signKey = (prefix: string, leaseId: string): string => `${prefix}${leaseId}`;

/** A lease that this process renews until it closes the session. When a lease ends, etcd deletes the keys bound to it.
 *
 *  ALIVE -renewed, every third of `ttlSeconds`-> ALIVE
 *  ALIVE -etcd has ended the lease or lost what it had, no renewal succeeded for `ttlSeconds`, or markLost-> LOST
 *  ALIVE -close-> REVOKED */
export class LeaseSession {
  private readonly ended = new AbortController();
  private renewing: Promise<void> | undefined;
  private sinceRenewal = stopwatch();

  private constructor(
    private readonly options: LeaseSessionOptions,
    readonly leaseId: string,
  ) {}

  /** @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused */
  static async open(options: LeaseSessionOptions): Promise<LeaseSession> {
    const sinceRequest = stopwatch();
    const session = new LeaseSession(options, await options.client.grantLease(options.ttlSeconds));
    session.sinceRenewal = sinceRequest;
    const leave = options.client.history.onChange(() => session.markLost());
    session.signal.addEventListener("abort", leave, { once: true });
    await session.sign();
    session.renewing = session.keepRenewing();
    return session;
  }

  /** Opens a session in place of one that is lost. A lease that etcd could not renew may be alive there: an etcd that was restarted gives
   *  every lease its whole time again, and until then, no process could claim the keys that this one no longer owns. So the lost
   *  lease is ended first.
   *  @param lost absent: there was none
   *  @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused */
  static async reopen(lost: LeaseSession | undefined, options: LeaseSessionOptions): Promise<LeaseSession> {
    if (lost !== undefined) await options.client.revokeLease(lost.leaseId).catch(() => undefined);
    return LeaseSession.open(options);
  }

  /** Aborts when the lease is lost or revoked. */
  get signal(): AbortSignal {
    return this.ended.signal;
  }

  /** A call may take a third of the lease's time: if one member does not respond, there is time to call another. */
  private get callMs(): number {
    return (this.options.ttlSeconds * 1000) / 3;
  }

  /** Marks the lease as lost. Call this when etcd has refused a request because the lease has ended. */
  markLost(): void {
    this.ended.abort();
  }

  /** Ends the lease now, so that other processes need not wait for it to expire. If etcd does not answer, the lease expires
   *  later. */
  async close(): Promise<void> {
    const wasLost = this.ended.signal.aborted;
    this.ended.abort();
    await this.renewing;
    if (!wasLost) await this.options.client.revokeLease(this.leaseId).catch(() => undefined);
  }

  private async keepRenewing(): Promise<void> {
    const { clock, ttlSeconds } = this.options;
    const { signal } = this.ended;
    let pauseMs = (ttlSeconds * 1000) / 3;
    while (!signal.aborted) {
      await clock.sleep(pauseMs, signal);
      if (signal.aborted) return;
      const [isRenewed, isSigned] = await Promise.all([this.renew(), this.sign()]);
      pauseMs = isRenewed && isSigned ? (ttlSeconds * 1000) / 3 : retryMs;
    }
  }

  /** Writes the lease's sign. A process that renews its lease and cannot write a sign would be taken for dead, so this is tried
   *  as often as a renewal.
   *  @returns false if it is to be tried again soon */
  private async sign(): Promise<boolean> {
    const { client, ttlSeconds, signs } = this.options;
    if (signs === undefined) return true;
    const success = [put(signKey(signs, this.leaseId), String(ttlSeconds), this.leaseId)];
    try {
      await client.txn({ success }, this.callMs);
      return true;
    } catch (error) {
      // where etcd takes no writes, others cannot tell the dead by their signs either
      return !(error instanceof EtcdUnavailable);
    }
  }

  private async renew(): Promise<boolean> {
    const { client, ttlSeconds } = this.options;
    const sinceRequest = stopwatch();
    try {
      const seconds = await client.keepLease(this.leaseId, this.callMs);
      if (seconds > 0) this.sinceRenewal = sinceRequest;
      else this.ended.abort();
      return true;
    } catch {
      // etcd may have ended the lease already, and other processes may hold its keys
      if (this.sinceRenewal() >= ttlSeconds * 1000) this.ended.abort();
      return false;
    }
  }
}
