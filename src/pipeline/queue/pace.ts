/** The depths of the queue between which streamers slow down. */
export interface PaceMarks {
  /** Queue depth up to which publishing is not slowed. */
  readonly lowMessages: number;
  /** Queue depth from which publishing is always at its slowest pace. At the queue's capacity, publishing stops. */
  readonly highMessages: number;
}

/** The slowest pace, as a share of the full pace. It is not 0, because a streamer that stopped would notice free capacity too
 *  late. */
const slowestPace = 0.1;

/** The share of its full rate at which a streamer may publish: 1 up to the low mark; above it, falling towards 0 at the high
 *  mark, but never below 0.1. */
export function paceAt(depthMessages: number, { lowMessages, highMessages }: PaceMarks): number {
  const over = (depthMessages - lowMessages) / Math.max(1, highMessages - lowMessages);
  return Math.min(1, Math.max(slowestPace, 1 - over));
}
