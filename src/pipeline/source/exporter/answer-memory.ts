/** Limits the memory of all answers that are being received at once. Each answer has a limit of its own, but many targets may send
 *  large ones together. */
export class AnswerMemory {
  private usedBytes = 0;

  constructor(private readonly maxBytes: number) {}

  /** @returns false if there is not enough left; nothing is taken then */
  take(bytes: number): boolean {
    if (this.usedBytes + bytes > this.maxBytes) return false;
    this.usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.usedBytes -= bytes;
  }
}
