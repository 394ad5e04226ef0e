import type { Resolution, RollupResolution } from "../../domain/query.ts";
import type { TimeRange } from "../../domain/time-range.ts";

/** The longest ranges for which `auto` chooses raw records, and minutes: about 2,000 records per GPU, if it reports
 *  every 10 s, and 10,000 minutes. */
const rawMaxMs = 6 * 3_600_000;
const minutesMaxMs = 7 * 24 * 3_600_000;

/** @returns the requested resolution; for `auto`, the finest one that the range is not too long for */
export function resolutionOf(requested: Resolution | "auto", range: TimeRange, nowMs: number): Resolution {
  if (requested !== "auto") return requested;
  // a range without a start requests the newest records
  if (range.fromMs === -Infinity) return "raw";
  return lengthOf(range, nowMs) <= rawMaxMs ? "raw" : rollupFor(range, nowMs);
}

/** The finest rollup that the range is not too long for. */
export function rollupFor(range: TimeRange, nowMs: number): RollupResolution {
  return lengthOf(range, nowMs) <= minutesMaxMs ? "1m" : "1h";
}

/** From the first instant to the last one. */
function lengthOf({ fromMs, toMs }: TimeRange, nowMs: number): number {
  return (toMs === Infinity ? nowMs : toMs - 1) - fromMs;
}
