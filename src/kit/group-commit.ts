interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Does many small things in few large steps: what is submitted while a step is under way makes up the next one. */
export class GroupCommit<Item, Result> {
  private waiting: Waiting<Item, Result>[] = [];
  private running: Promise<void> | undefined;

  /** @param run does a group; its results are in the order of the items, and its failure is that of each of them
   *  @param pause what comes until it resolves belongs to the next group too */
  constructor(
    private readonly run: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly maxItems: number,
    private readonly pause: () => Promise<void> = () => Promise.resolve(),
  ) {}

  submit(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.running ??= this.runAll();
    });
  }

  private async runAll(): Promise<void> {
    await Promise.resolve(); // what is submitted in the same turn belongs to the first group
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, this.maxItems);
      try {
        const results = await this.run(group.map(({ item }) => item));
        group.forEach(({ resolve }, index) => resolve(results[index] as Result));
      } catch (error) {
        group.forEach(({ reject }) => reject(error));
      }
      await this.pause();
    }
    this.running = undefined;
  }
}
