import { metrics } from "../../domain/metrics.ts";
import type { RollupResolution } from "../../domain/query.ts";
import { type OwnRows, placeSpans } from "./own-rows.ts";

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

const everyColumn = metrics
  .flatMap(({ name }) => aggregateNames.map((aggregate) => `"${name}_${aggregate}"`))
  .join(", ");

/** The rollups that the database stores, or the own part of them: of a minute or hour in which a GPU moved, from its records. A rollup
 *  combines all workloads of a GPU, so bounds must not have namespaces. */
export function storedRollups(resolution: RollupResolution, own: OwnRows | undefined): string {
  if (own === undefined) return `telemetry_${resolution}`;
  const width = `interval '${rollupMs[resolution] / 1000} seconds'`;
  const bucket = bucketOf(resolution, "from_at");
  return `(
  select gpu_key, bucket, records, ${everyColumn} from telemetry_${resolution} r where exists (
    select from (${placeSpans()}) p where p.gpu_key = r.gpu_key and p.from_at <= r.bucket and p.to_at >= r.bucket + ${width}
      and ${own.place("p")})
  union all
  select m.gpu_key, m.bucket, count(*) as records, ${everyAggregate}
  from (select distinct gpu_key, ${bucket} as bucket from (${placeSpans()}) p where isfinite(from_at) and ${bucket} < from_at) m
  join telemetry moved on moved.gpu_key = m.gpu_key and moved.time >= m.bucket and moved.time < m.bucket + ${width}
  where ${own.recordOfMany("moved")} group by m.gpu_key, m.bucket)`;
}
