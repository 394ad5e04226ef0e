import type { AggregateFilter, Grouping, RollupResolution } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { bucketOf, rollupMs } from "./rollup-source.ts";

/** A row of the answer: the group's own columns, and `{metric}_avg`, `_min`, `_max` (null where it has no value) and
 *  `_count`. */
export interface AggregateSqlRow {
  readonly timeMs: number;
}

/** The columns that make a group, by the API's names. */
export const groupColumns: Readonly<Record<Grouping, readonly string[]>> = {
  cluster: ["cluster_id"],
  host: ["cluster_id", "hostname"],
  gpu: ["uuid"],
  model: ["model_name"],
  namespace: ["namespace"],
};

/** Each GPU's attributes with the span in which they held; the first ones from the beginning. */
const places = `
select gpu_key, cluster_id, hostname, model_name,
  case when lag(valid_from) over w is null then '-infinity' else valid_from end as valid_from,
  lead(valid_from, 1, 'infinity') over w as valid_to
from gpu_attributes window w as (partition by gpu_key order by valid_from)`;

/** Sums telemetry up by minute or hour and group, ordered by both; one row more than the limit where there are more.
 *  First by GPU, then by group: a GPU that moves within a minute or hour counts where it was at the beginning.
 *  @param isMaterialized whether the database keeps rollups, which are read then */
export function selectAggregates(
  executor: SqlExecutor,
  filter: AggregateFilter,
  isMaterialized: boolean,
): Promise<AggregateSqlRow[]> {
  const { groupBy, metrics, clusterId, hostname, limit } = filter;
  const conditions = new Conditions();
  const sums = isMaterialized ? sumsOfRollup(filter, conditions) : sumsOfTelemetry(filter, conditions);
  const isPlaced = groupBy !== "gpu" && groupBy !== "namespace";
  const needsPlaces = isPlaced || clusterId !== undefined || hostname !== undefined;
  const groups = groupColumns[groupBy].map((name) => ({ name, expression: groupExpression(name) }));
  const keys = ["s.bucket", ...groups.map(({ expression }) => expression)].join(", ");
  const filters = new Conditions(conditions.params).add("p.cluster_id = ?", clusterId).add("p.hostname = ?", hostname);
  const figures = metrics.flatMap((name) => [
    `sum(s."${name}_sum") / nullif(sum(s."${name}_count"), 0)::float8 as "${name}_avg"`,
    `min(s."${name}_min") as "${name}_min", max(s."${name}_max") as "${name}_max"`,
    `coalesce(sum(s."${name}_count"), 0)::float8 as "${name}_count"`,
  ]);
  const text = `
with sums as (${sums})
select extract(epoch from s.bucket)::float8 * 1000 as "timeMs",
  ${[...groups.map(({ name, expression }) => `${expression} as ${name}`), ...figures].join(", ")}
from sums s
${groupBy === "gpu" ? "join gpus g on g.gpu_key = s.gpu_key" : ""}
${needsPlaces ? `join (${places}) p on p.gpu_key = s.gpu_key and s.bucket >= p.valid_from and s.bucket < p.valid_to` : ""}
${filters.after("where")} group by ${keys} order by ${keys} limit ${filters.param(limit + 1)}`;
  return executor.query<AggregateSqlRow>(text, filters.params);
}

/** Each GPU's sums by minute or hour, out of its records. */
function sumsOfTelemetry(filter: AggregateFilter, conditions: Conditions): string {
  const { metrics, groupBy, resolution } = filter;
  const bucket = bucketOf(resolution, "t.time");
  const keys = ["t.gpu_key", bucket, ...(groupBy === "namespace" ? ["coalesce(t.namespace, '')"] : [])];
  const figures = metrics.map(
    (name) => `sum(t."${name}") as "${name}_sum", min(t."${name}") as "${name}_min",
  max(t."${name}") as "${name}_max", count(t."${name}") as "${name}_count"`,
  );
  const namespace = groupBy === "namespace" ? ", coalesce(t.namespace, '') as namespace" : "";
  return `
select t.gpu_key, ${bucket} as bucket${namespace}, ${figures.join(", ")}
from telemetry t ${withinWholeBuckets(filter, conditions, "t.time")} group by ${keys.join(", ")}`;
}

/** The same out of the rollup, which has no namespace: it is that of the GPU's workload at the beginning. */
function sumsOfRollup(filter: AggregateFilter, conditions: Conditions): string {
  const { metrics, groupBy, resolution } = filter;
  const figures = metrics.map(
    (name) =>
      `t."${name}_avg" * t."${name}_count" as "${name}_sum", t."${name}_min", t."${name}_max", t."${name}_count"`,
  );
  const namespace =
    groupBy === "namespace"
      ? `, coalesce((select namespace from gpu_workloads w where w.gpu_key = t.gpu_key and w.valid_from <= t.bucket
  order by w.valid_from desc limit 1), '') as namespace`
      : "";
  return `
select t.gpu_key, t.bucket${namespace}, ${figures.join(", ")}
from telemetry_${resolution} t ${withinWholeBuckets(filter, conditions, "t.bucket")}`;
}

function groupExpression(name: string): string {
  if (name === "uuid") return "g.uuid";
  return name === "namespace" ? "s.namespace" : `p.${name}`;
}

/** Minutes or hours that begin in the window, each whole. */
function withinWholeBuckets(
  { startMs, endMs, resolution }: AggregateFilter,
  conditions: Conditions,
  time: string,
): string {
  const { firstMs, untilMs } = wholeBuckets(startMs, endMs, resolution);
  return conditions
    .add(`${time} >= to_timestamp(?::float8 / 1000.0)`, firstMs)
    .add(`${time} < to_timestamp(?::float8 / 1000.0)`, untilMs)
    .after("where");
}

/** The minutes or hours that begin in a window, as a half-open span of time, milliseconds since the epoch. */
function wholeBuckets(startMs: number, endMs: number, resolution: RollupResolution) {
  const widthMs = rollupMs[resolution];
  return {
    firstMs: Math.ceil(startMs / widthMs) * widthMs,
    untilMs: (Math.floor(endMs / widthMs) + 1) * widthMs,
  };
}
