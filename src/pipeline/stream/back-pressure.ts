import type { Clock } from "../../kit/clock.ts";

export interface BackPressureOptions {
  /** Queue depth up to which publishing is not slowed. */
  readonly lowMessages: number;
  /** Queue depth from which publishing is always at its slowest pace. At the queue's capacity, publishing stops. */
  readonly highMessages: number;
  readonly clock: Clock;
}

/** The slowest pace, as a share of the full pace. It is not 0, because a streamer that stopped would notice free capacity too
 *  late. */
const slowestPace = 0.1;
/** The longest pause. It is short, so that a change of the depth takes effect soon. */
const pauseMaxMs = 1000;

/** Slows a streamer down as the queue fills, so that the streamer settles at the collectors' rate instead of filling the
 *  queue again and again. */
export class BackPressure {
  private depth = 0;
  private workSinceMs: number;

  constructor(private readonly options: BackPressureOptions) {
    this.workSinceMs = options.clock.nowMs();
  }

  /** Sets the queue's depth; called after each publish. */
  observe(depthMessages: number): void {
    this.depth = depthMessages;
  }

  get depthMessages(): number {
    return this.depth;
  }

  /** Share of the full rate that is allowed now: 1 up to the low mark; above it, falling towards 0 at the high mark, but never
   *  below 0.1. */
  get pace(): number {
    const { lowMessages, highMessages } = this.options;
    const over = (this.depth - lowMessages) / Math.max(1, highMessages - lowMessages);
    return Math.min(1, Math.max(slowestPace, 1 - over));
  }

  /** Pauses between two batches, long enough that work and pause together give the pace, but at most 1 s. */
  async pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    const workMs = clock.nowMs() - this.workSinceMs;
    const pauseMs = Math.min(pauseMaxMs, workMs * (1 / this.pace - 1));
    if (pauseMs >= 1) await clock.sleep(pauseMs, signal);
    this.workSinceMs = clock.nowMs();
  }
}
