import type { Clock } from "../../kit/clock.ts";
import { type PaceMarks, paceAt } from "../queue/pace.ts";

export interface BackPressureOptions extends PaceMarks {
  readonly clock: Clock;
}

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

  /** Share of the full rate that is allowed now. */
  get pace(): number {
    return paceAt(this.depth, this.options);
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
