import type { Resolution, RollupResolution } from "../../domain/query.ts";
import type { TimeRange } from "../../domain/time-range.ts";

/** The longest range with a start for which `auto` chooses raw records: about 2,000 records of a GPU that reports every 10 s. */
const rawMaxMs = 6 * 3_600_000;
/** The longest range for which `auto` chooses minutes: about 10,000 of them. */
const minutesMaxMs = 7 * 24 * 3_600_000;
/** The longest range for which `auto` chooses hours: about 2,200 of them, a quarter of a year. */
const hoursMaxMs = 92 * 24 * 3_600_000;

/** The requested resolution; for `auto`, the one that suits the length of the range. */
export function resolutionOf(requested: Resolution | "auto", range: TimeRange, nowMs: number): Resolution {
  if (requested !== "auto") return requested;
  // a request without a start is for the newest records
  if (range.fromMs === -Infinity) return "raw";
  return lengthOf(range, nowMs) <= rawMaxMs ? "raw" : rollupFor(range, nowMs);
}

/** The resolution of rollups that suits the length of the range. */
export function rollupFor(range: TimeRange, nowMs: number): RollupResolution {
  const lengthMs = lengthOf(range, nowMs);
  if (lengthMs <= minutesMaxMs) return "1m";
  return lengthMs <= hoursMaxMs ? "1h" : "1d";
}

/** Milliseconds from the first instant of a range to its last one; a range without an end ends now. */
function lengthOf({ fromMs, toMs }: TimeRange, nowMs: number): number {
  return (toMs === Infinity ? nowMs : toMs - 1) - fromMs;
}
