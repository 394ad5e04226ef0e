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

/** What sums up telemetry, and what sums up rows that are sums already. */
interface Sums {
  readonly from: string;
  readonly time: string;
  readonly of: (metric: string) => readonly string[];
  readonly namespace: string;
  readonly join: string;
}

const ofTelemetry: Omit<Sums, "from"> = {
  time: "t.time",
  of: (name) => [`avg(t."${name}")`, `min(t."${name}")`, `max(t."${name}")`, `count(t."${name}")`],
  namespace: "coalesce(t.namespace, '')",
  join: "",
};

/** A rollup has no namespace: it is that of the GPU's workload at the beginning of the minute or hour. */
const ofRollup: Omit<Sums, "from"> = {
  time: "t.bucket",
  of: (name) => [
    `sum(t."${name}_avg" * t."${name}_count") / nullif(sum(t."${name}_count"), 0)`,
    `min(t."${name}_min")`,
    `max(t."${name}_max")`,
    `coalesce(sum(t."${name}_count"), 0)`,
  ],
  namespace: "coalesce(w.namespace, '')",
  join: `left join lateral (
  select namespace from gpu_workloads where gpu_key = t.gpu_key and valid_from <= t.bucket
  order by valid_from desc limit 1) w on true`,
};

/** Each GPU's attributes with the span in which they held. */
const places = `
select gpu_key, cluster_id, hostname, model_name, valid_from,
  lead(valid_from, 1, 'infinity') over (partition by gpu_key order by valid_from) as valid_to
from gpu_attributes`;

/** Sums telemetry up by minute or hour and group, ordered by both; one row more than the limit where there are more.
 *  @param isMaterialized whether the database keeps rollups, which are read then */
export function selectAggregates(
  executor: SqlExecutor,
  filter: AggregateFilter,
  isMaterialized: boolean,
): Promise<AggregateSqlRow[]> {
  const { resolution, groupBy } = filter;
  const sums = isMaterialized
    ? { ...ofRollup, from: `telemetry_${resolution}` }
    : { ...ofTelemetry, from: "telemetry" };
  const conditions = bounds(filter, sums.time)
    .add("p.cluster_id = ?", filter.clusterId)
    .add("p.hostname = ?", filter.hostname);
  const bucket = bucketOf(resolution, sums.time);
  const needsPlaces = groupBy === "cluster" || groupBy === "host" || groupBy === "model";
  const isPlaced = needsPlaces || filter.clusterId !== undefined || filter.hostname !== undefined;
  const columns = groupColumns[groupBy].map((name) => ({ name, expression: groupExpression(name, sums) }));
  const metricColumns = filter.metrics.flatMap((name) =>
    sums.of(name).map((sum, index) => `(${sum})::float8 as "${name}_${["avg", "min", "max", "count"][index]}"`),
  );
  const text = `
select extract(epoch from ${bucket})::float8 * 1000 as "timeMs",
  ${[...columns.map(({ name, expression }) => `${expression} as ${name}`), ...metricColumns].join(", ")}
from ${sums.from} t
${groupBy === "gpu" ? "join gpus g on g.gpu_key = t.gpu_key" : ""}
${isPlaced ? `join (${places}) p on p.gpu_key = t.gpu_key and ${sums.time} >= p.valid_from and ${sums.time} < p.valid_to` : ""}
${groupBy === "namespace" ? sums.join : ""}
${conditions.after("where")}
group by ${[bucket, ...columns.map(({ expression }) => expression)].join(", ")}
order by ${[bucket, ...columns.map(({ expression }) => expression)].join(", ")}
limit ${conditions.param(filter.limit + 1)}`;
  return executor.query<AggregateSqlRow>(text, conditions.params);
}

function groupExpression(name: string, { namespace }: Sums): string {
  if (name === "uuid") return "g.uuid";
  return name === "namespace" ? namespace : `p.${name}`;
}

/** Minutes or hours that begin in the window, each whole. */
function bounds({ startMs, endMs, resolution }: AggregateFilter, time: string): Conditions {
  const { firstMs, untilMs } = wholeBuckets(startMs, endMs, resolution);
  return new Conditions()
    .add(`${time} >= to_timestamp(?::float8 / 1000.0)`, firstMs)
    .add(`${time} < to_timestamp(?::float8 / 1000.0)`, untilMs);
}

/** The minutes or hours that begin in a window, as a half-open span of time, milliseconds since the epoch. */
function wholeBuckets(startMs: number, endMs: number, resolution: RollupResolution) {
  const widthMs = rollupMs[resolution];
  return {
    firstMs: Math.ceil(startMs / widthMs) * widthMs,
    untilMs: (Math.floor(endMs / widthMs) + 1) * widthMs,
  };
}
