import type { Clock } from "../../src/kit/clock.ts";

interface Sleeper {
  readonly wakeAtMs: number;
  readonly wake: () => void;
}

/** A clock that advances only when a test advances it. */
export class ManualClock implements Clock {
  private sleepers: Sleeper[] = [];

  constructor(private timeMs = Date.UTC(2025, 0, 1)) {}

  nowMs(): number {
    return this.timeMs;
  }

  get sleeperCount(): number {
    return this.sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper: Sleeper = { wakeAtMs: this.timeMs + ms, wake };
      this.sleepers.push(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  after(ms: number, call: () => void): () => void {
    const ended = new AbortController();
    void this.sleep(ms, ended.signal).then(() => {
      if (!ended.signal.aborted) call();
    });
    return () => ended.abort();
  }

  /** Advances the time as a frozen process sees it: those that are to wake meanwhile wake at the end. */
  async freeze(ms: number): Promise<void> {
    await settle();
    this.timeMs += ms;
    await this.advance(0);
  }

  /** Advances the time, wakes sleepers in the order of their times, and runs the work that they start. */
  async advance(ms: number): Promise<void> {
    const target = this.timeMs + ms;
    await settle();
    for (;;) {
      const next = this.sleepers
        .filter(({ wakeAtMs }) => wakeAtMs <= target)
        .sort((a, b) => a.wakeAtMs - b.wakeAtMs)[0];
      if (next === undefined) break;
      this.timeMs = Math.max(this.timeMs, next.wakeAtMs);
      next.wake();
      await settle();
    }
    this.timeMs = target;
  }
}

/** Runs the work that does not wait for the clock, for ten turns of the event loop. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 10; turns += 1) await new Promise((resolve) => setImmediate(resolve));
}
