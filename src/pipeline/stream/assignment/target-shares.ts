import { createHash } from "node:crypto";
import { fairQuotas, type TargetGroup } from "./fair-quotas.ts";
import type { TargetSet } from "./target-set.ts";

/** What a process knows about the targets and about the processes that share them. */
export interface ShareView {
  /** This process. */
  readonly me: string;
  /** The processes that share the targets, this one included, with the targets that each of them knows: they differ while a file of
   *  targets is distributed. A process with `undefined` may know any target. */
  readonly members: ReadonlyMap<string, TargetSet | undefined>;
  /** The targets that this process knows, with their hashes. */
  readonly known: ReadonlyMap<string, number>;
  /** The process that has a target; undefined if none has it. It need not be a member: a process that stops has its targets until
   *  it has finished their scrapes. */
  readonly ownerOf: (target: string) => string | undefined;
  /** The owners of all targets, by the targets' hashes; without those that this process is about to release. */
  readonly owners: ReadonlyMap<number, string>;
  /** Targets that this process has, and is about to release. */
  readonly giving: ReadonlySet<string>;
  /** Targets that no other process claimed although they were another one's share. */
  readonly unwanted: ReadonlySet<string>;
  /** Targets that this process had until it lost its lease: it has scrapes of them, so it claims them before others. */
  readonly adrift: ReadonlySet<string>;
  /** True if nothing has changed for long, so that targets that are free may be claimed by any. */
  readonly isStalled: boolean;
}

/** The changes that a process makes, so that each target has one owner that knows it, and all owners have equally many. */
export interface ShareChanges {
  /** In the order in which this process claims them. */
  readonly claim: readonly string[];
  readonly release: readonly string[];
}

/** A process has a quota of the targets that the same processes know (fair-quotas.ts): below it, it claims free ones of them; above it,
 *  it releases the excess. So a target goes only to a process that knows it, and only the excess moves. Each process decides by itself,
 *  with what it sees: when all see the same and all changes are made, the targets are shared as evenly as possible, and nothing changes
 *  any more. */
export function shareChanges(view: ShareView): ShareChanges {
  const { me, known, ownerOf, giving, unwanted, adrift, isStalled } = view;
  const groups = groupsOf(view);
  const quotas = fairQuotas([...new Set(groups.values())]);
  const targetsOf = Map.groupBy(known.keys(), (target) => groups.get(known.get(target) ?? NaN));
  const [claim, release]: [string[], string[]] = [[], []];
  for (const [group, targets] of targetsOf) {
    const mine = targets.filter((target) => ownerOf(target) === me && !giving.has(target));
    const free = targets.filter((target) => ownerOf(target) === undefined);
    const room = (group === undefined ? 0 : (quotas.get(group)?.get(me) ?? 0)) - mine.length;
    const excess = -room - mine.filter((target) => unwanted.has(target)).length;
    if (excess > 0) release.push(...ordered(me, without(mine, unwanted)).slice(-excess));
    const wanted = [
      ...ordered(
        me,
        free.filter((target) => adrift.has(target)),
      ),
      ...ordered(me, without(free, adrift)),
    ];
    claim.push(...(isStalled ? wanted : wanted.slice(0, Math.max(0, room))));
  }
  return { claim: [...claim.filter((target) => adrift.has(target)), ...without(claim, adrift)], release };
}

/** Targets that the same members know. */
interface CountedGroup extends TargetGroup {
  readonly held: Map<string, number>;
  free: number;
}

/** The group of each target that a member knows, by the target's hash. */
function groupsOf({ members, owners }: ShareView): Map<number, CountedGroup> {
  const sets = [...distinctSets(members)];
  const groups = new Map<string, CountedGroup>();
  const groupOf = new Map<number, CountedGroup>();
  for (const [index, { hashes }] of sets.entries()) {
    for (const hash of hashes) {
      if (index > 0 && groupOf.has(hash)) continue;
      const id = sets.length === 1 ? "" : sets.map((set) => (set.hashes.has(hash) ? "1" : "0")).join("");
      let group = groups.get(id);
      if (group === undefined) {
        const knowing = [...members].filter(([, set]) => set === undefined || set.hashes.has(hash));
        groups.set(id, (group = { members: knowing.map(([member]) => member).sort(), held: new Map(), free: 0 }));
      }
      groupOf.set(hash, group);
      const owner = owners.get(hash);
      if (owner !== undefined && group.members.includes(owner)) group.held.set(owner, (group.held.get(owner) ?? 0) + 1);
      else group.free += 1;
    }
  }
  return groupOf;
}

/** In an order that is the same in every process. */
function distinctSets(members: ShareView["members"]): Iterable<TargetSet> {
  const sets = new Map<string, TargetSet>();
  for (const set of members.values()) if (set !== undefined) sets.set(set.digest, set);
  return [...sets.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

function without(targets: readonly string[], left: ReadonlySet<string>): string[] {
  return targets.filter((target) => !left.has(target));
}

/** An order that differs from process to process: processes that claim at the same time seldom claim the same target. */
function ordered(me: string, targets: readonly string[]): string[] {
  const keyed = targets.map(
    (target) => [createHash("sha1").update(`${me}\0${target}`).digest("base64"), target] as const,
  );
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
}
