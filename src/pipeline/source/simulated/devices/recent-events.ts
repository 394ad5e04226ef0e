/** Counts the events of each kind in the last `windowSeconds`. A kind whose events are all older has the count 0. */
export class RecentEvents {
  private readonly ages: Map<string, number[]>;

  /** @param kinds those that are counted from the beginning */
  constructor(
    private readonly windowSeconds: number,
    kinds: readonly string[] = [],
  ) {
    this.ages = new Map(kinds.map((kind) => [kind, []]));
  }

  advance(seconds: number): void {
    for (const [kind, ages] of this.ages) {
      this.ages.set(
        kind,
        ages.map((age) => age + seconds).filter((age) => age < this.windowSeconds),
      );
    }
  }

  add(kind: string): void {
    this.ages.set(kind, [...(this.ages.get(kind) ?? []), 0]);
  }

  counts(): [kind: string, count: number][] {
    return Array.from(this.ages, ([kind, { length }]) => [kind, length]);
  }
}
