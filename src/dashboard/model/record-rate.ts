const windowMs = 10_000;

/** How many records a second have arrived lately. */
export class RecordRate {
  /** The number of records of each second, by the second. */
  private readonly counts = new Map<number, number>();
  private firstMs: number | undefined;

  note(atMs: number): void {
    this.firstMs ??= atMs;
    const second = Math.floor(atMs / 1000);
    this.counts.set(second, (this.counts.get(second) ?? 0) + 1);
    for (const old of this.counts.keys()) if (old < second - windowMs / 1000) this.counts.delete(old);
  }

  /** @returns undefined before the first record */
  perSecond(nowMs: number): number | undefined {
    if (this.firstMs === undefined) return undefined;
    const from = Math.floor((nowMs - windowMs) / 1000);
    const counted = [...this.counts].filter(([second]) => second > from).reduce((sum, [, count]) => sum + count, 0);
    return counted / (Math.min(windowMs, Math.max(1000, nowMs - this.firstMs)) / 1000);
  }
}
