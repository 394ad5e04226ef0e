/** The instants from `fromMs` (inclusive) to `toMs` (exclusive), milliseconds since the epoch. An infinite bound means
 *  no limit on that side. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Every instant. */
export const allTime: TimeRange = { fromMs: -Infinity, toMs: Infinity };

/** An hour in milliseconds. The hours of the history are those of UTC. */
export const hourMs = 3_600_000;

/** The hour (UTC) of an instant: its beginning. */
export const hourOf = (instantMs: number): number => Math.floor(instantMs / hourMs) * hourMs;

/** A day in milliseconds. */
export const dayMs = 24 * hourMs;

/** The day (UTC) of an instant: its beginning. */
export const dayOf = (instantMs: number): number => Math.floor(instantMs / dayMs) * dayMs;
