import { leaseSignKeys } from "../../../etcd/lease-signs.ts";
import { retry } from "../../../kit/retry.ts";
import type { StreamRetries } from "../stream-retries.ts";
import type { StreamerLeaseOptions } from "./streamer-lease.ts";
import type { TargetAssignment, TargetOwner } from "./target-assignment.ts";
import { TargetBoard } from "./target-board.ts";
import { TargetClaims } from "./target-claims.ts";
import { TargetKeys } from "./target-keys.ts";
import { TargetMembership } from "./target-membership.ts";
import { targetHash, TargetSet } from "./target-set.ts";
import { shareChanges, type ShareView } from "./target-shares.ts";

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
/** A target that no other process wanted is not released again for this time: `known` if all members say which targets they know, so
 *  that the one whose share it was did not see etcd's changes for a while. */
const unwantedMs = { known: 10_000, unknown: 60_000 };

/** Shares targets through etcd. A process that has a target holds the target's owner key, under the one lease of the process. Each
 *  member has a key under its lease, too, so a process that dies leaves its targets and its share at the same time. Each process
 *  follows all keys with one watch, and decides by target-shares.ts what it claims and releases. */
export class EtcdTargetAssignment implements TargetAssignment {
  private readonly keys: TargetKeys;
  private readonly claims: TargetClaims;
  private readonly membership: TargetMembership;
  /** The instants until which targets count as unwanted. */
  private readonly unwanted = new Map<string, number>();
  /** The targets that this process knows, with their hashes. */
  private known: ReadonlyMap<string, number> = new Map();
  private knownSet = new TargetSet([]);
  private members: ReadonlySet<string> = new Set();
  private board: TargetBoard | undefined;
  private isLeaving = false;
  /** True if every target that is known has an owner and nothing is to change: time alone changes nothing then. */
  private isQuiet = false;
  private wake: () => void = () => undefined;

  constructor(private readonly options: EtcdTargetAssignmentOptions) {
    this.keys = new TargetKeys(options.topic);
    this.claims = new TargetClaims({ ...options, keys: this.keys });
    this.membership = new TargetMembership({
      ...{ ...options, keys: this.keys, signs: leaseSignKeys(options.topic).signs },
      onLost: () => this.lost(),
    });
  }

  async run(owner: TargetOwner, signal: AbortSignal): Promise<void> {
    const { client, clock, retries } = this.options;
    this.board ??= new TargetBoard({ client, clock, keys: this.keys, onChange: () => this.changed() });
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
    const before = this.known;
    this.known = new Map([...sourceIds].map((id) => [id, before.get(id) ?? targetHash(id)]));
    this.knownSet = new TargetSet(this.known.values());
    this.changed();
  }

  async release(sourceId: string, endedMs?: number): Promise<void> {
    const lost = this.claims.held.get(sourceId)?.lost;
    if (lost === undefined) return;
    this.claims.give(sourceId);
    const { clock, retries } = this.options;
    const release = (): Promise<void> => this.claims.release(sourceId, endedMs);
    await retry(release, { clock, signal: lost, onRetry: (error) => retries.record(error) });
  }

  async leave(): Promise<void> {
    this.isLeaving = true;
    await this.membership.leave();
  }

  async close(): Promise<void> {
    await this.board?.close();
    await this.membership.close();
  }

  private lost(): void {
    this.claims.loseAll();
    this.changed();
  }

  private changed(): void {
    this.isQuiet = false;
    this.wake();
  }

  /** Makes the changes that the present view of owners and members asks for. */
  private async settle(owner: TargetOwner, signal: AbortSignal): Promise<void> {
    const { board } = this;
    if (board?.revision === undefined || this.isQuiet) return;
    const { revision } = board;
    const { known } = this;
    const isSettled = await this.makeChanges(board, owner, signal);
    this.isQuiet = isSettled && board.revision === revision && this.known === known && this.unwanted.size === 0;
  }

  /** @returns whether there were none to make, and none will be to make unless something else changes */
  private async makeChanges(board: TargetBoard, owner: TargetOwner, signal: AbortSignal): Promise<boolean> {
    const { claims, known } = this;
    if (known.size === 0 && claims.held.size === 0 && !this.membership.isMember) return true;
    const session = await this.membership.join(this.knownSet, board);
    const isEnough = (): boolean => this.isLeaving || signal.aborted;
    if (isEnough()) return false;
    await claims.reconcile(board, session, { owner, known });
    const isStalled = board.sinceLastChange() >= stallMs;
    const view = this.view(board, isStalled);
    const { claim, release } = shareChanges(view);
    await claims.claim(claim, session, { owner, isEnough });
    if (isStalled) this.noteUnwanted(claim, view);
    for (const id of release) {
      claims.give(id);
      owner.excess(id);
    }
    const isOwned = (id: string): boolean => claims.held.has(id) || board.owners.has(id);
    return claim.length === 0 && release.length === 0 && !session.signal.aborted && known.keys().every(isOwned);
  }

  private view(board: TargetBoard, isStalled: boolean): ShareView {
    const { known, unwanted, claims, options } = this;
    const { streamerId: me, clock } = options;
    const { held, giving, adrift } = claims;
    this.noteMembers(board);
    for (const [id, untilMs] of unwanted) if (clock.nowMs() >= untilMs) unwanted.delete(id);
    const ownerOf = (id: string): string | undefined =>
      held.has(id) ? me : ownerName(board.owners.get(id)?.streamerId, me);
    const owners = new Map<number, string>();
    for (const { hash, streamerId } of board.owners.values()) if (streamerId !== me) owners.set(hash, streamerId);
    for (const id of held.keys()) if (!giving.has(id)) owners.set(known.get(id) ?? targetHash(id), me);
    return {
      ...{ me, known, ownerOf, owners, giving, adrift, isStalled },
      members: new Map([...board.members.keys(), me].map((member) => [member, this.setOf(member, board)])),
      unwanted: new Set(unwanted.keys()),
    };
  }

  private noteUnwanted(ids: readonly string[], { members }: ShareView): void {
    const areKnown = [...members.values()].every((set) => set !== undefined);
    const untilMs = this.options.clock.nowMs() + unwantedMs[areKnown ? "known" : "unknown"];
    for (const id of ids) this.unwanted.set(id, untilMs);
  }

  private setOf(member: string, board: TargetBoard): TargetSet | undefined {
    const isMine = member === this.options.streamerId || board.members.get(member) === this.knownSet.digest;
    return isMine ? this.knownSet : board.setOf(member);
  }

  /** When members or what they know change, targets that no process wanted may be wanted: a process that was frozen, and is there again,
   *  wants its share. */
  private noteMembers(board: TargetBoard): void {
    const members = new Set([...board.members].map(([member, digest]) => `${member} ${digest}`));
    if (members.symmetricDifference(this.members).size > 0) this.unwanted.clear();
    this.members = members;
  }
}

/** A key that this process created under an earlier lease belongs to no member: it disappears when etcd ends that lease. */
function ownerName(streamerId: string | undefined, me: string): string | undefined {
  return streamerId === me ? "" : streamerId;
}
