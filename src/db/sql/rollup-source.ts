import { type RollupResolution, rollupMs } from "../../domain/query.ts";

/** An SQL expression for the beginning of the minute, hour or day of an instant, in UTC regardless of the session's time zone. */
export function bucketOf(resolution: RollupResolution, instant: string): string {
  return `date_bin(interval '${rollupMs[resolution] / 1000} seconds', ${instant}, timestamptz '2000-01-01 00:00:00Z')`;
}
