import { GroupCommit } from "../../../kit/group-commit.ts";
import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import type { LeaseSession } from "../../../etcd/lease-session.ts";
import type { Clock } from "../../../kit/clock.ts";
import { get, isAbsent, nested, put, putIfAbsent, remove, wasCreatedAt } from "../../../etcd/requests.ts";
import { knownPosition } from "./known-position.ts";
import { latestText, readLatest } from "./stored-plan.ts";
import type { TargetClaim, TargetOwner } from "./target-assignment.ts";
import type { TargetBoard } from "./target-board.ts";
import type { TargetKeys } from "./target-keys.ts";

export interface TargetClaimsOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: TargetKeys;
  /** The value of the owner keys. */
  readonly streamerId: string;
}

/** The position of a target that no longer exists: processes whose list of targets is older may still continue from it. */
const endedSeconds = 60;
/** Operations of a transaction: etcd allows 128, and each claim or release has up to four. */
const groupMax = 30;
/** A longer text of series is not written: those of about 1,000 devices. */
const seriesMaxBytes = 64 * 1024;

interface Held extends TargetClaim {
  readonly revision: string;
  readonly lose: () => void;
}

/** The targets that this process has: it has created their owner keys, under its lease. A message is published only while the owner key
 *  is the one that its publisher created.
 *
 *  A target in this process: OTHERS -claim-> HELD -give-> GIVING -release-> OTHERS
 *  HELD, GIVING -end of lease-> ADRIFT -claim-> HELD, ADRIFT -another process claims it-> OTHERS */
export class TargetClaims {
  private readonly heldTargets = new Map<string, Held>();
  private readonly givenTargets = new Set<string>();
  private readonly adriftTargets = new Set<string>();
  /** The revisions of owner keys that were deleted, while the board may still show them. */
  private readonly released = new Map<string, string>();
  private readonly releasing: GroupCommit<Release, void>;

  constructor(private readonly options: TargetClaimsOptions) {
    this.releasing = new GroupCommit((releases) => this.releaseGroup(releases), groupMax);
  }

  /** The targets that this process has. */
  get held(): ReadonlyMap<string, TargetClaim> {
    return this.heldTargets;
  }

  /** Those of them that it is about to release. */
  get giving(): ReadonlySet<string> {
    return this.givenTargets;
  }

  /** The targets that it had until it lost its lease, and that no other process has claimed since. */
  get adrift(): ReadonlySet<string> {
    return this.adriftTargets;
  }

  /** Brings what this process believes to have in line with the owner keys that etcd has.
   *  @param known the targets that this process still knows
   *  @throws an error of the driver */
  async reconcile(
    board: TargetBoard,
    session: LeaseSession,
    { owner, known }: { readonly owner: TargetOwner; readonly known: { has(target: string): boolean } },
  ): Promise<void> {
    this.dropLost(board);
    for (const id of this.adriftTargets) {
      const streamerId = board.owners.get(id)?.streamerId;
      const isOthers = streamerId !== undefined && streamerId !== this.options.streamerId;
      if (!isOthers && known.has(id)) continue;
      this.adriftTargets.delete(id);
      owner.taken(id);
    }
    await this.adopt(board, session, owner);
  }

  /** Claims those of the targets that no process has.
   *  @param isEnough ends it early
   *  @throws an error of the driver */
  async claim(
    ids: readonly string[],
    session: LeaseSession,
    { owner, isEnough }: { readonly owner: TargetOwner; readonly isEnough: () => boolean },
  ): Promise<void> {
    for (let from = 0; from < ids.length && !isEnough(); from += groupMax) {
      await this.claimGroup(ids.slice(from, from + groupMax), session, owner);
    }
  }

  /** This process no longer counts on the target, although it has it until it releases it. */
  give(id: string): void {
    this.givenTargets.add(id);
  }

  /** Deletes the owner key of a target.
   *  @param endedMs see TargetAssignment
   *  @throws an error of the driver; the target may have been released then, or not */
  async release(id: string, endedMs: number | undefined): Promise<void> {
    const held = this.heldTargets.get(id);
    if (held === undefined) return;
    await this.releasing.submit({ held, endedMs });
    this.released.set(id, held.revision);
    if (this.heldTargets.get(id) !== held) return;
    this.heldTargets.delete(id);
    this.givenTargets.delete(id);
  }

  loseAll(): void {
    for (const id of [...this.heldTargets.keys()]) this.lose(id);
  }

  private lose(id: string): void {
    this.heldTargets.get(id)?.lose();
    this.heldTargets.delete(id);
    this.givenTargets.delete(id);
    this.adriftTargets.add(id);
  }

  /** Finds targets whose owner keys were deleted although the lease lives. */
  private dropLost({ owners, revision }: TargetBoard): void {
    if (revision === undefined) return;
    for (const [id, held] of this.heldTargets) {
      if (BigInt(held.revision) <= revision && owners.get(id)?.revision !== held.revision) this.lose(id);
    }
  }

  /** Takes over owner keys that this process created without learning of it, because etcd's answer was lost. */
  private async adopt({ owners }: TargetBoard, session: LeaseSession, owner: TargetOwner): Promise<void> {
    for (const [id, revision] of this.released) {
      if (owners.get(id)?.revision !== revision) this.released.delete(id);
    }
    for (const [id, { streamerId, leaseId, revision }] of owners) {
      if (this.released.has(id)) continue;
      if (streamerId !== this.options.streamerId || leaseId !== session.leaseId || this.heldTargets.has(id)) continue;
      const { responses } = await this.options.client.txn({
        compare: [wasCreatedAt(this.options.keys.owner(id), revision)],
        success: [get(this.options.keys.latest(id)), get(this.options.keys.series(id))],
        failure: [],
      });
      const [latest, series] = responses.map(({ response_range: range }) => range);
      if (latest !== undefined)
        this.hold({ id, revision, latest: latest.kvs[0]?.value, series: series?.kvs[0]?.value, owner });
    }
  }

  /** The ledger of a target without a position begins with its first claim: if its owner loses it before anything is published, the
   *  next owner knows since when scrapes are missing. */
  private async claimGroup(ids: readonly string[], session: LeaseSession, owner: TargetOwner): Promise<void> {
    const { client, clock, keys, streamerId } = this.options;
    const start = latestText(clock.nowMs());
    const claims = ids.map((id) => {
      const [key, latest, series] = [keys.owner(id), keys.latest(id), keys.series(id)];
      const claim = [put(key, streamerId, session.leaseId), putIfAbsent(latest, start), get(latest), get(series)];
      return nested([isAbsent(key)], claim);
    });
    const { responses, revision } = await client.txn({ success: claims });
    if (session.signal.aborted) return;
    ids.forEach((id, index) => {
      const claimed = responses[index]?.response_txn;
      const [latest, series] = [2, 3].map((of) => claimed?.responses[of]?.response_range.kvs[0]?.value);
      if (claimed?.succeeded === true) this.hold({ id, revision, latest, series, owner });
    });
  }

  private hold({ id, revision, latest, series, owner }: Claimed): void {
    const lost = new AbortController();
    const { keys, clock } = this.options;
    const [ownerKey, key, seriesKey] = [keys.owner(id), keys.latest(id), keys.series(id)];
    const held: Held = {
      sourceId: id,
      ...knownPosition(latest && readLatest(latest), clock.nowMs()),
      series: series === undefined || series.length === 0 ? undefined : series.toString(),
      forMessage: (after) => ({
        ownerKey,
        ownerRevision: revision,
        position: after && { key, value: latestText(after.timeMs) },
        ...(after?.series !== undefined && { note: { key: seriesKey, value: seriesValue(after.series) } }),
      }),
      lost: lost.signal,
      revision,
      lose: () => lost.abort(),
    };
    this.heldTargets.set(id, held);
    this.adriftTargets.delete(id);
    owner.claimed(held);
  }

  private async releaseGroup(releases: readonly Release[]): Promise<void[]> {
    const { client, keys } = this.options;
    const isEnding = releases.some(({ endedMs }) => endedMs !== undefined);
    const endedLease = isEnding ? await client.grantLease(endedSeconds) : undefined;
    const success = releases.map(({ held: { sourceId, revision }, endedMs }) => {
      const [owner, latest] = [keys.owner(sourceId), keys.latest(sourceId)];
      const ending =
        endedMs === undefined ? [] : [put(latest, latestText(endedMs), endedLease), remove(keys.series(sourceId))];
      return nested([wasCreatedAt(owner, revision)], [remove(owner), ...ending]);
    });
    await client.txn({ success });
    return releases.map(() => undefined);
  }
}

/** A target's owner key that this process has created. */
interface Claimed {
  readonly id: string;
  readonly revision: string;
  /** The value of the target's position, if it has one. */
  readonly latest: Buffer | undefined;
  /** The value of the key of its series, if it has one. */
  readonly series: Buffer | undefined;
  readonly owner: TargetOwner;
}

interface Release {
  readonly held: Held;
  readonly endedMs: number | undefined;
}

/** Empty if it is too long: the next owner must not take older series for those of the last scrape. */
function seriesValue(text: string): string {
  return Buffer.byteLength(text) > seriesMaxBytes ? "" : text;
}
