const firstPauseMs = 500;
const maxPauseMs = 30_000;
/** A process that has lived this long has recovered. */
const recoveredMs = 60_000;
/** So many exits in this time are a crash loop, which lasts until the process has recovered. */
const loopExits = 5;
const loopMs = 120_000;

/** The pauses between the restarts of a process: 0.5 s, doubling to 30 s, from the beginning after 60 s of life. */
export class BackOff {
  private failures = 0;
  private exits: readonly number[] = [];
  private loop = false;

  /** @returns the pause before the restart */
  recordExit(nowMs: number, livedMs: number): number {
    if (livedMs >= recoveredMs) this.reset();
    this.exits = [...this.exits, nowMs].filter((exitMs) => nowMs - exitMs <= loopMs);
    if (this.exits.length >= loopExits) this.loop = true;
    this.failures += 1;
    return Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(this.failures - 1, 30));
  }

  /** True if the process ended 5 times in 2 minutes and has not recovered since.
   *  @param livedMs the age of the running process; undefined while none runs */
  isCrashLoop(livedMs: number | undefined): boolean {
    return this.loop && (livedMs === undefined || livedMs < recoveredMs);
  }

  private reset(): void {
    this.failures = 0;
    this.exits = [];
    this.loop = false;
  }
}
