import type { Logger } from "pino";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import { EtcdCompacted, EtcdOutOfSpace } from "../../domain/errors.ts";
import type { EtcdClient } from "../../etcd/etcd-client.ts";
import { LeaseSession } from "../../etcd/lease-session.ts";
import { getKey, isAbsent, put } from "../../etcd/requests.ts";

export interface EtcdUpkeepOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** Names this process in etcd. */
  readonly instanceId: string;
  /** The least length of the history that etcd keeps, up to a third more, unless its database grows too fast. A watch that was interrupted for longer
   *  has to list its state again. */
  readonly historySeconds: number;
  readonly log: Logger;
}

const lockKey = "/maintenance/upkeep";
const lockLeaseSeconds = 15;
/** Growth of the bytes in use that triggers a compaction immediately. */
const growthMaxBytes = 64 * 1024 * 1024;
const intervalMs = 1000;
/** A compaction walks over all of etcd's keys, 50,000 idempotency keys with 10,000 GPUs. Compacted at every check, etcd spent a
 *  quarter of its processor time on it. */
const compactionsPerHistory = 3;
/** The interval of the processes that wait to take over. */
const standbyIntervalMs = 5000;

/** Keeps etcd's database small: acknowledged messages stay in etcd's history until the history is compacted. The process
 *  that holds the lock key compacts etcd for all processes.
 *
 *  If the quota is reached anyway (alarm NOSPACE), etcd refuses writes until its history is compacted, its files are
 *  defragmented and the alarm is disarmed; this service does all three. */
export class EtcdUpkeep extends BaseService {
  override readonly isUpkeep = true;
  private lock: LeaseSession | undefined;
  private readonly upkeepError = this.repeatedError({
    prefix: "etcd's database is not kept small",
    ended: "etcd's database is kept small again",
  });
  /** The error to report while etcd refuses writes. */
  private outOfSpace: string | undefined;
  /** How often etcd had lost its history when the marks were made. */
  private lostHistories = 0;
  /** Past revisions with their times; history up to a revision older than `historySeconds` is compacted. */
  private marks: { readonly revision: string; readonly atMs: number }[] = [];
  private compactedAtMs = 0;
  /** The fewest bytes in use since the last compaction. Measured at every check, because etcd deletes compacted history only
   *  after a while. */
  private minInUseBytes = Infinity;

  constructor(private readonly options: EtcdUpkeepOptions) {
    super("etcd", options.log);
  }

  override error(): string | undefined {
    return this.outOfSpace ?? super.error();
  }

  override activity(): string | undefined {
    return this.lock === undefined ? undefined : "keeps etcd's database small, for all processes";
  }

  protected override async run(): Promise<void> {
    while (!this.stopping.aborted) {
      try {
        await this.check();
        this.upkeepError.clear();
      } catch (error) {
        // another process compacted first
        if (!(error instanceof EtcdCompacted)) this.upkeepError.record(error);
      }
      await this.options.clock.sleep(this.lock === undefined ? standbyIntervalMs : intervalMs, this.stopping);
    }
  }

  protected override async close(): Promise<void> {
    await this.lock?.close();
  }

  private async check(): Promise<void> {
    const membersWithoutSpace = await this.options.client.membersWithoutSpace();
    const isMine = await this.isUpkeeper().catch((error: unknown) => {
      // Without space, etcd grants no lease: if the upkeeper has just died, no process can replace it, so all make space.
      if (error instanceof EtcdOutOfSpace) return true;
      throw error;
    });
    if (membersWithoutSpace.length > 0) {
      const remedy = isMine
        ? "this process compacts and defragments etcd, and disarms the alarm"
        : "another process makes space";
      this.outOfSpace = `etcd is out of space (alarm NOSPACE): publishers wait; ${remedy}. If this happens again, raise --quota-backend-bytes or lower QUEUE_CAPACITY_MESSAGES.`;
      if (!isMine) return;
      await this.makeSpace(membersWithoutSpace);
    } else if (isMine) await this.compactOld();
    this.outOfSpace = undefined;
  }

  private async isUpkeeper(): Promise<boolean> {
    const { client, clock, instanceId } = this.options;
    if (this.lock !== undefined && !this.lock.signal.aborted) return true;
    this.lock = undefined;
    // reads first: while another process has the lock, no lease is needed
    const { responses } = await client.txn({ success: [getKey(lockKey)] });
    if ((responses[0]?.response_range.kvs.length ?? 0) > 0) return false;
    const lease = await LeaseSession.open({ client, clock, ttlSeconds: lockLeaseSeconds });
    const taking = client.txn({ compare: [isAbsent(lockKey)], success: [put(lockKey, instanceId, lease.leaseId)] });
    // without a response, the key may exist, and would exist as long as the lease: closing the lease deletes it
    const { succeeded } = await taking.catch(async (error: unknown) => {
      await lease.close();
      throw error;
    });
    if (!succeeded) await lease.close();
    else this.lock = lease;
    return succeeded;
  }

  private async compactOld(): Promise<void> {
    const { client, clock, historySeconds } = this.options;
    const { inUseBytes, revision } = await client.databaseSize();
    if (client.history.changes !== this.lostHistories) {
      this.lostHistories = client.history.changes;
      this.marks = [];
      this.minInUseBytes = Infinity;
    }
    const nowMs = clock.nowMs();
    this.minInUseBytes = Math.min(this.minInUseBytes, inUseBytes);
    const grewTooMuch = inUseBytes - this.minInUseBytes > growthMaxBytes;
    this.marks.push({ revision, atMs: nowMs });
    const historyMs = historySeconds * 1000;
    if (!grewTooMuch && Math.abs(nowMs - this.compactedAtMs) < historyMs / compactionsPerHistory) return;
    const isDue = ({ atMs }: { atMs: number }): boolean => nowMs - atMs >= historyMs;
    const due = grewTooMuch ? this.marks.slice(0, -1) : this.marks.filter(isDue);
    const last = due.at(-1);
    if (last === undefined) return;
    this.marks = this.marks.slice(due.length);
    if (last.revision === this.marks[0]?.revision) return; // nothing was written since
    this.compactedAtMs = nowMs;
    await client.compact(last.revision);
    this.minInUseBytes = Infinity;
  }

  private async makeSpace(members: readonly string[]): Promise<void> {
    const { client, log } = this.options;
    log.warn({ members }, "etcd is out of space: compacting, defragmenting, disarming");
    const { revision } = await client.databaseSize();
    await client.compact(revision, true).catch((error: unknown) => {
      if (!(error instanceof EtcdCompacted)) throw error;
    });
    await client.defragment();
    for (const member of members) await client.disarm(member);
    this.marks = [];
    this.minInUseBytes = Infinity;
    log.info("etcd accepts writes again");
  }
}
