import { createHash } from "node:crypto";

/** What a process knows about the targets and about the processes that share them. */
export interface ShareView {
  /** This process. */
  readonly me: string;
  /** The processes that share the targets, this one included. */
  readonly members: ReadonlySet<string>;
  /** The targets that this process knows: other processes may know others, while a file of targets is distributed. */
  readonly known: Iterable<string>;
  /** The process that has a target; undefined if none has it. It need not be a member: a process that stops has its targets until
   *  it has finished their scrapes. */
  readonly ownerOf: (target: string) => string | undefined;
  /** Targets that this process has, and is about to release. */
  readonly giving: ReadonlySet<string>;
  /** Targets that no other process claimed when this process had released them: perhaps no other knows them. */
  readonly unwanted: ReadonlySet<string>;
  /** Targets that this process had until it lost its lease: it has scrapes of them, so it claims them before others. */
  readonly adrift: ReadonlySet<string>;
  /** True if no process has claimed a target for long, so that those that are free may be claimed by any. */
  readonly isStalled: boolean;
}

/** The changes that a process makes, so that each target has one owner and all owners have equally many. */
export interface ShareChanges {
  /** In the order in which this process claims them. */
  readonly claim: readonly string[];
  readonly release: readonly string[];
}

/** A process's share is the number of targets divided by the number of members. If that is no whole number, the members that have
 *  most have the greater shares, so that only the excess moves. A process below its share claims free targets; one that is above
 *  releases the excess. Each process decides by itself, with what it knows: when all know the same and all changes are made, no process
 *  has more than one target more than another, and nothing changes any more. */
export function shareChanges(view: ShareView): ShareChanges {
  const { me, ownerOf, giving, unwanted, adrift, isStalled } = view;
  const known = [...view.known];
  const mine = known.filter((target) => ownerOf(target) === me && !giving.has(target));
  const room = shareOf(view, known, mine.length) - mine.length;
  if (room < 0) {
    return {
      claim: [],
      release: ordered(
        me,
        mine.filter((target) => !unwanted.has(target)),
      ).slice(room),
    };
  }
  const free = known.filter((target) => ownerOf(target) === undefined);
  const first = ordered(
    me,
    free.filter((target) => adrift.has(target)),
  );
  const others = ordered(
    me,
    free.filter((target) => !adrift.has(target)),
  );
  const claim = [...first, ...others];
  return { claim: isStalled ? claim : claim.slice(0, room), release: [] };
}

function shareOf({ me, members, ownerOf }: ShareView, known: readonly string[], mine: number): number {
  const counts = new Map([...members].map((member) => [member, 0]));
  for (const target of known) {
    const owner = ownerOf(target);
    const count = owner === undefined ? undefined : counts.get(owner);
    if (owner !== undefined && count !== undefined) counts.set(owner, count + 1);
  }
  counts.set(me, mine);
  const ahead = [...counts].filter(([member, count]) => count > mine || (count === mine && member < me)).length;
  const smaller = Math.floor(known.length / counts.size);
  return ahead < known.length % counts.size ? smaller + 1 : smaller;
}

/** An order that differs from process to process: processes that claim at the same time seldom claim the same target. */
function ordered(me: string, targets: readonly string[]): string[] {
  const keyed = targets.map(
    (target) => [createHash("sha1").update(`${me}\0${target}`).digest("base64"), target] as const,
  );
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target);
}
