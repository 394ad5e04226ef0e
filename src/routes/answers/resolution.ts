import type { Resolution, RollupResolution } from "../../domain/query.ts";
import type { TimeRange } from "../../domain/time-range.ts";

/** Widest ranges that `auto` shows record by record, and minute by minute: at one record in 10 s, some 2,000 records
 *  and 10,000 minutes a GPU. */
const rawMaxMs = 6 * 3_600_000;
const minutesMaxMs = 7 * 24 * 3_600_000;

/** @returns what `auto` means for a range: the finest that it is not too wide for */
export function resolutionOf(asked: Resolution | "auto", range: TimeRange, nowMs: number): Resolution {
  if (asked !== "auto") return asked;
  // without a beginning, the newest records are asked for
  if (range.fromMs === -Infinity) return "raw";
  return widthOf(range, nowMs) <= rawMaxMs ? "raw" : rollupFor(range, nowMs);
}

/** The finest rollup that a range is not too wide for. */
export function rollupFor(range: TimeRange, nowMs: number): RollupResolution {
  return widthOf(range, nowMs) <= minutesMaxMs ? "1m" : "1h";
}

/** From the first instant to the last one. */
function widthOf({ fromMs, toMs }: TimeRange, nowMs: number): number {
  return (toMs === Infinity ? nowMs : toMs - 1) - fromMs;
}
