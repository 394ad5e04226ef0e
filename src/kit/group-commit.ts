interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface GroupCommitOptions {
  /** Runs after each group; items submitted until it resolves belong to the next group.
   *  @param enough aborts when `enoughItems` wait */
  readonly pause?: (enough: AbortSignal) => Promise<void>;
  /** If absent, a pause is never cut short. */
  readonly enoughItems?: number;
  /** How many groups run at a time; 1 by default. */
  readonly groupsAtATime?: number;
}

/** Combines many small operations into few large ones: items submitted while a group runs form the next group, or several
 *  groups if there are more than `maxItems`. */
export class GroupCommit<Item, Result> {
  private waiting: Waiting<Item, Result>[] = [];
  private running = 0;
  private enough = new AbortController();

  /** @param run processes a group and returns the results in the order of the items; if `run` throws, every item of the
   *    group fails with the same error */
  constructor(
    private readonly run: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly maxItems: number,
    private readonly options: GroupCommitOptions = {},
  ) {}

  submit(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.hasEnough) this.enough.abort();
      if (this.running < (this.options.groupsAtATime ?? 1)) void this.runAll();
    });
  }

  private async runAll(): Promise<void> {
    this.running += 1;
    await Promise.resolve(); // items submitted in the same turn belong to the first group
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, this.maxItems);
      try {
        const results = await this.run(group.map(({ item }) => item));
        group.forEach(({ resolve }, index) => resolve(results[index] as Result));
      } catch (error) {
        group.forEach(({ reject }) => reject(error));
      }
      this.enough = new AbortController();
      if (!this.hasEnough) await this.options.pause?.(this.enough.signal);
    }
    this.running -= 1;
  }

  private get hasEnough(): boolean {
    return this.waiting.length >= (this.options.enoughItems ?? Infinity);
  }
}
