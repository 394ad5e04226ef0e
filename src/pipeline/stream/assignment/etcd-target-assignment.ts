import { GroupCommit } from "../../../kit/group-commit.ts";
import { retry } from "../../../kit/retry.ts";
import { LeaseSession } from "../../../etcd/lease-session.ts";
import { get, isAbsent, nested, put, remove, wasCreatedAt } from "../../../etcd/requests.ts";
import type { StreamRetries } from "../stream-retries.ts";
import { latestText, readLatest } from "./stored-plan.ts";
import type { StreamerLeaseOptions } from "./streamer-lease.ts";
import type { TargetAssignment, TargetClaim, TargetOwner } from "./target-assignment.ts";
import { TargetBoard } from "./target-board.ts";
import { TargetKeys } from "./target-keys.ts";
import { shareChanges } from "./target-shares.ts";

export interface EtcdTargetAssignmentOptions extends StreamerLeaseOptions {
  /** The pipeline's topic. */
  readonly topic: string;
  /** Identifies this process among those that share the targets. */
  readonly streamerId: string;
  readonly retries: StreamRetries;
}

/** Changes that come together, such as the keys of a lease that has ended, are answered together. */
const settleMs = 50;
/** The shares are looked at again after this time, even if no change was reported. */
const recheckMs = 1000;
/** Targets that are free for this long although they are the share of other processes are claimed by any process. */
const stallMs = 3000;
/** A target that no other process wanted is not released again for this time. */
const unwantedMs = 60_000;
/** The position of a target that no longer exists: processes whose list of targets is older may still continue from it. */
const endedSeconds = 60;
/** Operations of a transaction: etcd allows 128, and each claim or release has up to three. */
const groupMax = 40;

interface Held extends TargetClaim {
  readonly revision: string;
  readonly lose: () => void;
}

/** Shares targets through etcd. A process that has a target holds the target's owner key, under the one lease of the process. Each
 *  member has a key under its lease, too, so a process that dies leaves its targets and its share at the same time. Each process
 *  follows all keys with one watch, and decides by target-shares.ts what it claims and releases. A message is published only while the
 *  owner key is the one that its publisher created.
 *
 *  A target in this process: OTHERS -claim-> HELD -excess-> GIVING -release-> OTHERS
 *  HELD, GIVING -end of lease-> ADRIFT -claim-> HELD, ADRIFT -another process claims it-> OTHERS */
export class EtcdTargetAssignment implements TargetAssignment {
  private readonly keys: TargetKeys;
  private readonly held = new Map<string, Held>();
  private readonly giving = new Set<string>();
  private readonly adrift = new Set<string>();
  /** The instants until which targets count as unwanted. */
  private readonly unwanted = new Map<string, number>();
  /** The revisions of owner keys that were deleted, while the board may still show them. */
  private readonly released = new Map<string, string>();
  private readonly releasing: GroupCommit<Release, void>;
  private known: ReadonlySet<string> = new Set();
  private members: ReadonlySet<string> = new Set();
  private session: LeaseSession | undefined;
  private board: TargetBoard | undefined;
  private isLeaving = false;
  private isMember = false;
  private wake: () => void = () => undefined;

  constructor(private readonly options: EtcdTargetAssignmentOptions) {
    this.keys = new TargetKeys(options.topic);
    this.releasing = new GroupCommit((releases) => this.releaseGroup(releases), groupMax);
  }

  async run(owner: TargetOwner, signal: AbortSignal): Promise<void> {
    const { client, clock, retries } = this.options;
    this.board ??= new TargetBoard({ client, clock, keys: this.keys, onChange: () => this.wake() });
    while (!signal.aborted) {
      const woken = new AbortController();
      this.wake = () => woken.abort();
      try {
        await this.settle(owner, signal);
        retries.succeeded();
      } catch (error) {
        if (!signal.aborted) retries.record(error);
      }
      await clock.sleep(recheckMs, AbortSignal.any([signal, woken.signal]));
      await clock.sleep(settleMs, signal);
    }
  }

  know(sourceIds: ReadonlySet<string>): void {
    this.known = sourceIds;
    this.wake();
  }

  async release(sourceId: string, endedMs?: number): Promise<void> {
    const held = this.held.get(sourceId);
    if (held === undefined) return;
    this.giving.add(sourceId);
    const { clock, retries } = this.options;
    const remove = (): Promise<void> => this.releasing.submit({ held, endedMs });
    await retry(remove, { clock, signal: held.lost, onRetry: (error) => retries.record(error) });
    this.released.set(sourceId, held.revision);
    if (this.held.get(sourceId) !== held) return;
    this.held.delete(sourceId);
    this.giving.delete(sourceId);
  }

  async leave(): Promise<void> {
    this.isLeaving = true;
    if (!this.isMember || this.session === undefined) return;
    this.isMember = false;
    await this.options.client.txn({ success: [remove(this.keys.member(this.options.streamerId))] });
  }

  async close(): Promise<void> {
    await this.board?.close();
    await this.session?.close();
  }

  /** Makes the changes that the present view of owners and members asks for. */
  private async settle(owner: TargetOwner, signal: AbortSignal): Promise<void> {
    const { board } = this;
    if (board?.revision === undefined || (this.known.size === 0 && this.held.size === 0)) return;
    const session = await this.join();
    if (signal.aborted || this.isLeaving) return;
    this.dropLost(board, board.revision);
    this.dropTaken(board, owner);
    await this.adopt(board, session, owner);
    const isStalled = board.sinceLastClaim() >= stallMs;
    const { claim, release } = shareChanges(this.view(board, isStalled));
    for (let from = 0; from < claim.length && !this.isLeaving; from += groupMax) {
      await this.claimGroup(claim.slice(from, from + groupMax), session, owner);
    }
    if (isStalled) for (const id of claim) this.unwanted.set(id, this.options.clock.nowMs() + unwantedMs);
    for (const id of release) {
      this.giving.add(id);
      owner.excess(id);
    }
  }

  private view(board: TargetBoard, isStalled: boolean): Parameters<typeof shareChanges>[0] {
    const { known, giving, adrift, unwanted, held, options } = this;
    const { streamerId: me, clock } = options;
    const members = new Set([...board.members, me]);
    // a process that was frozen, and is there again, wants its share
    if (members.symmetricDifference(this.members).size > 0) unwanted.clear();
    this.members = members;
    for (const [id, untilMs] of unwanted) if (clock.nowMs() >= untilMs) unwanted.delete(id);
    return {
      ...{ me, known, giving, adrift, isStalled },
      members,
      unwanted: new Set(unwanted.keys()),
      ownerOf: (id) => (held.has(id) ? me : ownerName(board.owners.get(id)?.streamerId, me)),
    };
  }

  /** Opens a lease if there is none, and makes this process a member. */
  private async join(): Promise<LeaseSession> {
    const { client, clock, leaseSeconds, streamerId } = this.options;
    if (this.session === undefined || this.session.signal.aborted) {
      this.isMember = false;
      const session = await LeaseSession.open({ client, clock, ttlSeconds: leaseSeconds });
      this.session = session;
      session.signal.addEventListener("abort", () => this.loseAll(), { once: true });
    }
    const { session } = this;
    if (!this.isMember && !this.isLeaving) {
      await client.txn({ success: [put(this.keys.member(streamerId), "", session.leaseId)] });
      this.isMember = true;
    }
    return session;
  }

  private loseAll(): void {
    for (const id of [...this.held.keys()]) this.lose(id);
    this.wake();
  }

  private lose(id: string): void {
    this.held.get(id)?.lose();
    this.held.delete(id);
    this.giving.delete(id);
    this.adrift.add(id);
  }

  /** Finds targets whose owner keys were deleted although the lease lives. */
  private dropLost({ owners }: TargetBoard, revision: bigint): void {
    for (const [id, held] of this.held) {
      if (BigInt(held.revision) <= revision && owners.get(id)?.revision !== held.revision) this.lose(id);
    }
  }

  private dropTaken({ owners }: TargetBoard, owner: TargetOwner): void {
    for (const id of this.adrift) {
      const streamerId = owners.get(id)?.streamerId;
      const isOthers = streamerId !== undefined && streamerId !== this.options.streamerId;
      if (!isOthers && this.known.has(id)) continue;
      this.adrift.delete(id);
      owner.taken(id);
    }
  }

  /** Takes over owner keys that this process created without learning of it, because etcd's answer was lost. */
  private async adopt({ owners }: TargetBoard, session: LeaseSession, owner: TargetOwner): Promise<void> {
    for (const [id, revision] of this.released) {
      if (owners.get(id)?.revision !== revision) this.released.delete(id);
    }
    for (const [id, { streamerId, leaseId, revision }] of owners) {
      if (this.released.has(id)) continue;
      if (streamerId !== this.options.streamerId || leaseId !== session.leaseId || this.held.has(id)) continue;
      const { responses } = await this.options.client.txn({
        compare: [wasCreatedAt(this.keys.owner(id), revision)],
        success: [get(this.keys.latest(id))],
        failure: [],
      });
      const range = responses[0]?.response_range;
      if (range !== undefined) this.hold({ id, revision, latest: range.kvs[0]?.value, owner });
    }
  }

  private async claimGroup(ids: readonly string[], session: LeaseSession, owner: TargetOwner): Promise<void> {
    const { client, streamerId } = this.options;
    const claims = ids.map((id) => {
      const key = this.keys.owner(id);
      return nested([isAbsent(key)], [put(key, streamerId, session.leaseId), get(this.keys.latest(id))]);
    });
    const { responses, revision } = await client.txn({ success: claims });
    if (session.signal.aborted) return;
    ids.forEach((id, index) => {
      const claimed = responses[index]?.response_txn;
      const latest = claimed?.responses[1]?.response_range.kvs[0]?.value;
      if (claimed?.succeeded === true) this.hold({ id, revision, latest, owner });
    });
  }

  private hold({ id, revision, latest, owner }: Claimed): void {
    const lost = new AbortController();
    const [ownerKey, key] = [this.keys.owner(id), this.keys.latest(id)];
    const held: Held = {
      sourceId: id,
      afterMs: latest === undefined ? -Infinity : readLatest(latest),
      forMessage: (timeMs) => ({
        ownerKey,
        ownerRevision: revision,
        position: timeMs === undefined ? undefined : { key, value: latestText(timeMs) },
      }),
      lost: lost.signal,
      revision,
      lose: () => lost.abort(),
    };
    this.held.set(id, held);
    this.adrift.delete(id);
    owner.claimed(held);
  }

  private async releaseGroup(releases: readonly Release[]): Promise<void[]> {
    const { client } = this.options;
    const isEnding = releases.some(({ endedMs }) => endedMs !== undefined);
    const endedLease = isEnding ? await client.grantLease(endedSeconds) : undefined;
    const success = releases.map(({ held: { sourceId, revision }, endedMs }) => {
      const [owner, latest] = [this.keys.owner(sourceId), this.keys.latest(sourceId)];
      const ending = endedMs === undefined ? [] : [put(latest, latestText(endedMs), endedLease)];
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
  readonly owner: TargetOwner;
}

interface Release {
  readonly held: Held;
  readonly endedMs: number | undefined;
}

/** A key that this process created under an earlier lease belongs to no member: it disappears when etcd ends that lease. */
function ownerName(streamerId: string | undefined, me: string): string | undefined {
  return streamerId === me ? "" : streamerId;
}
