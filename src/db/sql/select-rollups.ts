import { metrics } from "../../domain/metrics.ts";
import type { RollupResolution } from "../../domain/query.ts";
import { Conditions } from "./conditions.ts";
import type { Bounds, HistorySource } from "./history-part.ts";
import { aggregateNames, bucketOf, everyAggregate, rollupMs } from "./rollup-source.ts";
import type { OwnRows } from "./own-rows.ts";
import { hasNamespace, occupantsAt } from "./stored-occupants.ts";

/** A row of a rollup. It also has `{metric}_avg`, `_min`, `_max` (null if the metric has no value) and `_count`. */
export interface RollupRow {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly records: number;
}

const rollupColumns = metrics
  .flatMap(({ name }) => aggregateNames.map((aggregate) => column(name, aggregate)))
  .join(", ");
const columns = `t.gpu_key::float8 as "gpuKey", extract(epoch from t.bucket)::float8 * 1000 as "timeMs",
  t.records::float8 as records, ${rollupColumns}`;

/** The rows of a rollup: the aggregates of each GPU by minute or hour, computed from the records of the range. */
export function rollupSource(resolution: RollupResolution): HistorySource {
  return {
    from: (conditions, bounds, own) => groupedTelemetry(conditions, resolution, { ...bounds, own }),
    time: "bucket",
    hasNamespace: (namespace, own) => hasNamespace(occupantsAt("t.gpu_key", "t.bucket", own), namespace),
    columns,
  };
}

/** A subquery with bounds on the column `time`, which has an index. */
function groupedTelemetry(
  conditions: Conditions,
  resolution: RollupResolution,
  { range, cursor, isForward = false, own }: Bounds & { readonly own: OwnRows | undefined },
): string {
  const bucket = bucketOf(resolution, "time");
  const { timeMs: fromMs = -Infinity } = (isForward ? cursor : undefined) ?? {};
  const { timeMs: lastMs = Infinity } = (isForward ? undefined : cursor) ?? {};
  const bounds = new Conditions(conditions.params).within("time", {
    fromMs: Math.max(range.fromMs, fromMs),
    // includes all of the last minute or hour that begins in the range
    toMs: Math.min(range.toMs, lastMs + 1) + rollupMs[resolution],
  });
  if (own !== undefined) bounds.addText(own.recordOfMany("telemetry"));
  return `(select gpu_key, ${bucket} as bucket, count(*) as records, ${everyAggregate}
    from telemetry ${bounds.after("where")} group by gpu_key, ${bucket})`;
}

function column(name: string, aggregate: (typeof aggregateNames)[number]): string {
  return aggregate === "count" ? `t."${name}_count"::float8 as "${name}_count"` : `t."${name}_${aggregate}"`;
}
