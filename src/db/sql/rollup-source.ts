import { metrics } from "../../domain/metrics.ts";
import type { RollupResolution } from "../../domain/query.ts";

/** The span of time that a row of the rollup covers, in milliseconds. */
export const rollupMs: Readonly<Record<RollupResolution, number>> = { "1m": 60_000, "1h": 3_600_000 };

/** The aggregates of a metric in a rollup. */
export const aggregateNames = ["avg", "min", "max", "count"] as const;

/** An SQL expression for the beginning of the minute or hour of an instant, in UTC regardless of the session's time zone. */
export function bucketOf(resolution: RollupResolution, instant: string): string {
  return `date_bin(interval '${rollupMs[resolution] / 1000} seconds', ${instant}, timestamptz '2000-01-01 00:00:00Z')`;
}

/** Every aggregate of every metric of the catalogue, as columns of a statement on telemetry. */
export const everyAggregate = metrics
  .flatMap(({ name }) => aggregateNames.map((aggregate) => `${aggregate}("${name}") as "${name}_${aggregate}"`))
  .join(", ");
