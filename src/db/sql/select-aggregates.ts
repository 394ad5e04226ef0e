import type { AggregateFilter, Grouping } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { OwnRows, telemetryOf } from "./own-rows.ts";
import { bucketOf, rollupMs } from "./rollup-source.ts";
import { namespacesOf } from "./stored-occupants.ts";

/** A row of the result. In addition to `timeMs`, a row has the group's columns, and `{metric}_avg`, `_min`, `_max` (null if the
 *  metric has no value) and `_count`. */
export interface AggregateSqlRow {
  readonly timeMs: number;
}

/** The columns that identify a group, by the API's name of the grouping. */
export const groupColumns: Readonly<Record<Grouping, readonly string[]>> = {
  cluster: ["cluster_id"],
  host: ["cluster_id", "hostname"],
  gpu: ["uuid"],
  model: ["model_name"],
  namespace: ["namespace"],
};

/** Each GPU's attributes, with the span in which they were valid. A GPU's first attributes also apply to all its earlier
 *  records. Of own rows, each is valid until the next own one. */
const spansOf = (own: OwnRows | undefined): string => `
select gpu_key, cluster_id, hostname, gpu_id, model_name,
  case when lag(valid_from) over w is null then '-infinity' else valid_from end as valid_from,
  lead(valid_from, 1, 'infinity') over w as valid_to
from gpu_attributes${own === undefined ? "" : ` where ${own.place("gpu_attributes")}`} window w as (partition by gpu_key order by valid_from)`;

/** Aggregates telemetry by minute or hour and by group, and orders the rows by both. If more rows than the limit exist, the
 *  result has one row more than the limit. A GPU that moves within a minute or hour counts for its place at the beginning of
 *  that minute or hour. */
export function selectAggregates(executor: SqlExecutor, filter: AggregateFilter): Promise<AggregateSqlRow[]> {
  const byPlace = filter.groupBy !== "gpu" && filter.groupBy !== "namespace";
  const { text, params } = byPlace ? byPlaceStatement(filter) : byGpuStatement(filter);
  return executor.query<AggregateSqlRow>(text, params);
}

interface Statement {
  readonly text: string;
  readonly params: readonly unknown[];
}

/** Groups by cluster, host or model. The groups are numbered first, so that a million rows are grouped by a number instead of
 *  names. */
function byPlaceStatement(filter: AggregateFilter): Statement {
  const { groupBy, metrics, gpus, resolution, limit } = filter;
  const names = groupColumns[groupBy].join(", ");
  const placed = placeConditions(gpus, "q");
  const own = gpus.within && new OwnRows(gpus.within, placed);
  const rows = new Conditions(placed.params);
  const bucket = bucketOf(resolution, "t.time");
  const figures = metrics.map(sumColumns);
  const text = `
with places as materialized (
  select q.*, dense_rank() over (order by ${names})::int as place from (${spansOf(own)}) q ${placed.after("where")}),
sums as (
  select ${bucket} as bucket, p.place, ${figures.join(", ")}
  from ${telemetryOf(own)} t
  join places p on p.gpu_key = t.gpu_key and ${bucket} >= p.valid_from and ${bucket} < p.valid_to
  ${withinWholeBuckets(filter, rows)} group by 1, 2)
select extract(epoch from s.bucket)::float8 * 1000 as "timeMs", ${names}, ${metrics.map(resultColumnsOf).join(", ")}
from sums s join (select distinct place, ${names} from places) n using (place)
order by s.bucket, ${groupColumns[groupBy].map(byBytes).join(", ")} limit ${rows.param(limit + 1)}`;
  return { text, params: rows.params };
}

/** Groups by GPU, or by the namespaces of the workloads that held it: a record counts once in each of them. */
function byGpuStatement(filter: AggregateFilter): Statement {
  const { groupBy, metrics, gpus, limit } = filter;
  const conditions = new Conditions();
  const own = gpus.within && new OwnRows(gpus.within, conditions);
  const sums = sumsQuery(filter, conditions, own);
  const filters = placeConditions(gpus, "p", conditions.params);
  const places = `join (${spansOf(own)}) p on p.gpu_key = s.gpu_key and s.bucket >= p.valid_from and s.bucket < p.valid_to`;
  const [name, expression] = groupBy === "gpu" ? ["uuid", "g.uuid"] : ["namespace", "s.namespace"];
  const figures = metrics.flatMap((metric) => [
    `sum(s."${metric}_sum") / nullif(sum(s."${metric}_count"), 0)::float8 as "${metric}_avg"`,
    `min(s."${metric}_min") as "${metric}_min", max(s."${metric}_max") as "${metric}_max"`,
    `coalesce(sum(s."${metric}_count"), 0)::float8 as "${metric}_count"`,
  ]);
  const text = `
with sums as (${sums})
select extract(epoch from s.bucket)::float8 * 1000 as "timeMs", ${expression} as ${name}, ${figures.join(", ")}
from sums s
${groupBy === "gpu" ? "join gpus g on g.gpu_key = s.gpu_key" : ""}
${filters.isEmpty ? "" : places}
${filters.after("where")} group by s.bucket, ${expression} order by s.bucket, ${byBytes(expression)} limit ${filters.param(limit + 1)}`;
  return { text, params: filters.params };
}

/** Orders names by their bytes, and so in the same way in every database. */
function byBytes(expression: string): string {
  return `${expression} collate "C"`;
}

function sumColumns(name: string): string {
  return `sum(t."${name}") as "${name}_sum", min(t."${name}") as "${name}_min", max(t."${name}") as "${name}_max",
    count(t."${name}") as "${name}_count"`;
}

function resultColumnsOf(name: string): string {
  return `s."${name}_sum" / nullif(s."${name}_count", 0)::float8 as "${name}_avg", s."${name}_min", s."${name}_max",
  coalesce(s."${name}_count", 0)::float8 as "${name}_count"`;
}

/** A query for the sums by GPU and minute or hour. With `groupBy: "namespace"`, the sums are also by namespace. */
function sumsQuery(filter: AggregateFilter, conditions: Conditions, own: OwnRows | undefined): string {
  const { metrics, groupBy, resolution } = filter;
  const bucket = bucketOf(resolution, "t.time");
  const figures = metrics.map(sumColumns);
  const within = withinWholeBuckets(filter, conditions);
  if (groupBy !== "namespace") {
    return `
select t.gpu_key, ${bucket} as bucket, ${figures.join(", ")} from ${telemetryOf(own)} t ${within} group by t.gpu_key, ${bucket}`;
  }
  const values = metrics.map((name) => `t."${name}"`).join(", ");
  return `
select t.gpu_key, ${bucket} as bucket, t.namespace, ${figures.join(", ")}
from (
  select t.gpu_key, t.time, ${values}, unnest(case when t.occupants is null then array[coalesce(t.namespace, '')]
    else array(${namespacesOf("t.occupants")}) end) as namespace
  from ${telemetryOf(own)} t ${within}) t${own === undefined ? "" : ` where ${own.namespace("t.namespace")}`}
group by t.gpu_key, ${bucket}, t.namespace`;
}

/** A `where` clause for the whole minutes or hours that begin in the range. */
function withinWholeBuckets({ range: { fromMs, toMs }, resolution }: AggregateFilter, conditions: Conditions): string {
  const widthMs = rollupMs[resolution];
  const begin = (bound: number): number => Math.ceil(bound / widthMs) * widthMs;
  return conditions.within("t.time", { fromMs: begin(fromMs), toMs: begin(toMs) }).after("where");
}

/** The conditions of a selector on spans of attributes. */
function placeConditions(gpus: AggregateFilter["gpus"], alias: string, params?: unknown[]): Conditions {
  return addAttributeConditions(new Conditions(params), gpus, {
    key: `${alias}.gpu_key`,
    attribute: (column) => `${alias}.${column}`,
  });
}
