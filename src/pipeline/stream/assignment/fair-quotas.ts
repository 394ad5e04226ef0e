/** Targets that the same members know. */
export interface TargetGroup {
  /** The members that know them, in the order of their names. */
  readonly members: readonly string[];
  /** How many of them each of these members has. */
  readonly held: ReadonlyMap<string, number>;
  /** How many of them none of these members has. */
  readonly free: number;
}

/** Divides targets among members that know them, as evenly as their knowledge permits: the member with the most has as few as
 *  possible, then the member with the second most, and so on. A division that is already as even as that stays as it is.
 *
 *  Such a division is an optimal semi-matching: one in which no member can give a target, perhaps by way of others, to a member with
 *  at least two fewer. Source: Harvey, Ladner, Lovász, Tamir, "Semi-matchings for bipartite graphs and load balancing", 2006,
 *  theorem 3.1. Here, the targets of a group move together.
 *  @returns for each group, how many of its targets each member is to have; equal arguments give equal quotas in all processes */
export function fairQuotas<Group extends TargetGroup>(groups: readonly Group[]): Map<Group, Map<string, number>> {
  const division = new Division(groups);
  division.placeFree();
  while (division.improve());
  return division.quotas;
}

/** A move on the way from one member to another. */
interface Move<Group> {
  readonly from: string;
  readonly to: string;
  readonly group: Group;
}

class Division<Group extends TargetGroup> {
  readonly quotas: Map<Group, Map<string, number>>;
  private readonly loads = new Map<string, number>();
  private readonly groupsOf = new Map<string, Group[]>();

  constructor(groups: readonly Group[]) {
    this.quotas = new Map(groups.map((group) => [group, new Map(group.held)]));
    for (const group of groups) {
      for (const member of group.members) {
        this.groupsOf.set(member, [...(this.groupsOf.get(member) ?? []), group]);
        this.loads.set(member, this.loadOf(member) + (group.held.get(member) ?? 0));
      }
    }
  }

  /** Gives each free target to the member that has least. Targets that few members know come first. */
  placeFree(): void {
    const groups = [...this.quotas.keys()].sort((a, b) => a.members.length - b.members.length);
    for (const group of groups) {
      for (let placed = 0; placed < group.free; placed += 1) {
        const least = group.members.reduce((a, b) => (this.loadOf(b) < this.loadOf(a) ? b : a));
        this.add(group, least, 1);
        this.loads.set(least, this.loadOf(least) + 1);
      }
    }
  }

  /** Moves targets from a member to one that has at least two fewer. @returns false if that is not possible */
  improve(): boolean {
    for (const from of this.byLoad()) {
      const moves = this.pathFrom(from);
      const to = moves.at(-1)?.to;
      if (to === undefined) continue;
      const half = Math.floor((this.loadOf(from) - this.loadOf(to)) / 2);
      const count = moves.reduce((least, move) => Math.min(least, this.movable(move.group, move.from)), half);
      for (const move of moves) {
        this.add(move.group, move.from, -count);
        this.add(move.group, move.to, count);
      }
      this.loads.set(from, this.loadOf(from) - count);
      this.loads.set(to, this.loadOf(to) + count);
      return true;
    }
    return false;
  }

  /** The members, those with the most targets first. */
  private byLoad(): string[] {
    return [...this.loads.keys()].sort((a, b) => this.loadOf(b) - this.loadOf(a) || (a < b ? -1 : 1));
  }

  /** The moves to the member with the fewest targets that `from` can give targets to; none if no member has at least two fewer. */
  private pathFrom(from: string): readonly Move<Group>[] {
    const reachedBy = new Map<string, Move<Group> | undefined>([[from, undefined]]);
    let least = from;
    // the map grows while it is iterated
    for (const member of reachedBy.keys()) {
      if (this.loadOf(member) < this.loadOf(least)) least = member;
      for (const group of this.givable(member)) {
        for (const to of group.members) if (!reachedBy.has(to)) reachedBy.set(to, { from: member, to, group });
      }
    }
    if (this.loadOf(from) - this.loadOf(least) < 2) return [];
    const moves: Move<Group>[] = [];
    for (let move = reachedBy.get(least); move !== undefined; move = reachedBy.get(move.from)) moves.unshift(move);
    return moves;
  }

  /** The groups of which a member can give targets, those first of which it has not claimed them yet. */
  private givable(member: string): Group[] {
    const groups = (this.groupsOf.get(member) ?? []).filter((group) => this.quotaOf(group, member) > 0);
    return groups.sort((a, b) => this.unclaimed(b, member) - this.unclaimed(a, member));
  }

  private movable(group: Group, member: string): number {
    const unclaimed = this.unclaimed(group, member);
    return unclaimed > 0 ? unclaimed : this.quotaOf(group, member);
  }

  private unclaimed(group: Group, member: string): number {
    return Math.max(0, this.quotaOf(group, member) - (group.held.get(member) ?? 0));
  }

  private quotaOf(group: Group, member: string): number {
    return this.quotas.get(group)?.get(member) ?? 0;
  }

  private loadOf(member: string): number {
    return this.loads.get(member) ?? 0;
  }

  private add(group: Group, member: string, count: number): void {
    this.quotas.get(group)?.set(member, this.quotaOf(group, member) + count);
  }
}
