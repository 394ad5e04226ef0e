/** The parts of a window. More of them forget old values more exactly, and take more memory. */
const parts = 6;

/** Sums of a sliding window, in parts: for each part its beginning, and `width` sums. The oldest part ends within the window, so that
 *  values count for the window's length, and up to a sixth longer. */
export class SlidingSums {
  private readonly partMs: number;

  /** @param width sums of a part */
  constructor(
    private readonly windowMs: number,
    private readonly width: 1 | 2,
  ) {
    this.partMs = windowMs / parts;
  }

  /** Adds to the newest part. An instant before it adds to it too. */
  add(sums: number[], atMs: number, [first, second = 0]: readonly [first: number, second?: number]): void {
    const stride = this.width + 1;
    let at = sums.length - stride;
    if (at < 0 || atMs - (sums[at] as number) >= this.partMs) {
      at = sums.length;
      sums.push(atMs, 0);
      if (this.width === 2) sums.push(0);
    }
    sums[at + 1] = (sums[at + 1] as number) + first;
    if (this.width === 2) sums[at + 2] = (sums[at + 2] as number) + second;
    this.forget(sums, atMs);
  }

  /** Deletes the parts before the window. */
  forget(sums: number[], atMs: number): void {
    while (sums.length > 0 && (sums[0] as number) + this.partMs <= atMs - this.windowMs) sums.splice(0, this.width + 1);
  }

  /** The sum with this number, over the whole window. */
  total(sums: readonly number[], index: 0 | 1 = 0): number {
    let total = 0;
    for (let at = index + 1; at < sums.length; at += this.width + 1) total += sums[at] as number;
    return total;
  }

  /** True if the sums reach back to the beginning of the window, within a part. */
  isFull(sums: readonly number[], atMs: number): boolean {
    return sums.length > 0 && (sums[0] as number) <= atMs - this.windowMs + this.partMs;
  }
}
