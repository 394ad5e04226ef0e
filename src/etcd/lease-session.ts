import { type Clock, stopwatch } from "../kit/clock.ts";
import type { EtcdClient } from "./etcd-client.ts";

export interface LeaseSessionOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** Time after which etcd ends a lease that is not renewed, >= 2. */
  readonly ttlSeconds: number;
}

/** The pause before a failed renewal is tried again. */
const retryMs = 250;

/** A lease that is renewed while this process runs: keys bound to the lease exist as long as the process runs.
 *
 *  ALIVE -renewed every third of its time-> ALIVE
 *  ALIVE -etcd ended it, no renewal succeeded for its whole time, or markLost-> LOST; ALIVE -close-> REVOKED */
export class LeaseSession {
  private readonly ended = new AbortController();
  private renewing: Promise<void> | undefined;
  private sinceRenewal = stopwatch();

  private constructor(
    private readonly options: LeaseSessionOptions,
    readonly leaseId: string,
  ) {}

  /** @throws EtcdUnavailable, EtcdOutOfSpace */
  static async open(options: LeaseSessionOptions): Promise<LeaseSession> {
    const sinceRequest = stopwatch();
    const session = new LeaseSession(options, await options.client.grantLease(options.ttlSeconds));
    session.sinceRenewal = sinceRequest;
    session.renewing = session.keepRenewing();
    return session;
  }

  /** Aborts when the lease is lost or revoked. */
  get signal(): AbortSignal {
    return this.ended.signal;
  }

  /** Marks the lease as lost: call this when another call failed because the lease has ended. */
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
      pauseMs = (await this.renew()) ? (ttlSeconds * 1000) / 3 : retryMs;
    }
  }

  private async renew(): Promise<boolean> {
    const { client, ttlSeconds } = this.options;
    const sinceRequest = stopwatch();
    try {
      // a third of the time, so that another member can be asked if one does not respond
      const seconds = await client.keepLease(this.leaseId, (ttlSeconds * 1000) / 3);
      if (seconds > 0) this.sinceRenewal = sinceRequest;
      else this.ended.abort();
      return true;
    } catch {
      // other processes may already hold the keys
      if (this.sinceRenewal() >= ttlSeconds * 1000) this.ended.abort();
      return false;
    }
  }
}
