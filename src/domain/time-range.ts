/** The instants from `fromMs` on and before `toMs`, milliseconds since the epoch; a bound that is infinite does not
 *  restrict. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Restricts nothing. */
export const allTime: TimeRange = { fromMs: -Infinity, toMs: Infinity };
