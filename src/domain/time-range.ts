/** The instants from `fromMs` (inclusive) to `toMs` (exclusive), milliseconds since the epoch. An infinite bound does not
 *  restrict. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Every instant. */
export const allTime: TimeRange = { fromMs: -Infinity, toMs: Infinity };
