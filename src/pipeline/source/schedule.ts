import { createHash } from "node:crypto";

/** The scheduled times of a target: `index * intervalMs + offset`, milliseconds since the epoch. The offset follows from the source's
 *  id, so it is the same in every process, and the offsets of many targets are spread over the interval. */
export class Schedule {
  private readonly offsetMs: number;

  constructor(
    sourceId: string,
    readonly intervalMs: number,
  ) {
    // 48 bits: a number that a double holds exactly
    this.offsetMs = createHash("sha256").update(sourceId).digest().readUIntBE(0, 6) % intervalMs;
  }

  /** The first scheduled time after an instant. */
  nextAfter(instantMs: number): number {
    return (Math.floor((instantMs - this.offsetMs) / this.intervalMs) + 1) * this.intervalMs + this.offsetMs;
  }

  /** The number of scheduled times after one instant and before another. */
  countBetween(afterMs: number, beforeMs: number): number {
    return Math.max(0, Math.ceil((beforeMs - this.nextAfter(afterMs)) / this.intervalMs));
  }
}
