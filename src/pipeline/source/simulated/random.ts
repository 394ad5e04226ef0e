/** Pseudo-random numbers that depend on `seed` and `stream` alone: sfc32.
 *  Source: https://pracrand.sourceforge.net/RNG_engines.txt */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** @param seed any 32-bit number
   *  @param stream selects one of many independent sequences for the same seed */
  constructor(seed: number, stream = 0) {
    this.a = 0x9e3779b9;
    this.b = seed | 0;
    this.c = stream | 0;
    for (let round = 0; round < 12; round += 1) this.uint32(); // the author's advice: 12 rounds mix a new seed in
  }

  /** A number from 0, inclusive, to 1, exclusive. */
  next(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A number from `min`, inclusive, to `max`, exclusive. */
  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** Like `between`, but as likely between 1 and 2 as between 100 and 200; `min` must be above 0. */
  betweenLog(min: number, max: number): number {
    return min * (max / min) ** this.next();
  }

  /** A whole number from 0 to `count` - 1. */
  index(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A random element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.index(list.length)] as T;
  }

  /** Lower-case hexadecimal digits. */
  hex(digits: number): string {
    let text = "";
    while (text.length < digits) text += this.index(16).toString(16);
    return text;
  }

  private uint32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
