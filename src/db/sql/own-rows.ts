import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import { textArray } from "./array-literal.ts";
import { instantsOfBlock, newestBetween, recordsOfBlock, runsOfBlock } from "./block-records.ts";
import type { Conditions } from "./conditions.ts";

/** SQL conditions for what lies within bounds, in one statement. */
export class OwnRows {
  private readonly placeholders: Partial<Record<keyof GpuBounds, string>> = {};

  /** @param conditions the statement's; gets the parameters */
  constructor(
    private readonly bounds: GpuBounds,
    private readonly conditions: Conditions,
  ) {}

  get restrictsPlaces(): boolean {
    return this.bounds.clusters !== undefined || this.bounds.hosts !== undefined;
  }

  get restrictsNamespaces(): boolean {
    return this.bounds.namespaces !== undefined;
  }

  /** A condition on the columns `cluster_id` and `hostname` of a row. */
  place(alias: string): string {
    const conditions = [
      ...(this.bounds.clusters === undefined ? [] : [`${alias}.cluster_id = any(${this.names("clusters")})`]),
      ...(this.bounds.hosts === undefined ? [] : [`${alias}.hostname = any(${this.names("hosts")})`]),
    ];
    return conditions.length === 0 ? "true" : `(${conditions.join(" and ")})`;
  }

  /** A condition: one of the workloads in a list is own. @param list an expression for the list */
  heldBy(list: string): string {
    return this.bounds.namespaces === undefined ? "true" : `exists (${this.ownIn(list)})`;
  }

  /** A condition on the workloads of a row of telemetry. Few rows have a list, and reading one takes long. */
  heldRecord(alias: string): string {
    const { namespaces } = this.bounds;
    if (namespaces === undefined) return "true";
    const isOneOf = `${alias}.occupants is not null and ${this.heldBy(`${alias}.occupants`)}`;
    return `(${alias}.namespace = any(${this.names("namespaces")}) or (${isOneOf}))`;
  }

  /** A condition: an own workload has held the GPU of a key by an instant. */
  wasHeldBy(gpuKey: string, at: string): string {
    if (!this.restrictsNamespaces) return "true";
    return `exists (select from gpu_workloads own_w where own_w.gpu_key = ${gpuKey} and own_w.valid_from <= ${at}
      and ${this.heldBy("own_w.occupants")})`;
  }

  /** A condition: the GPU of a key was in an own place by an instant. */
  wasPlacedBy(gpuKey: string, at: string): string {
    if (!this.restrictsPlaces) return "true";
    return `exists (select from gpu_attributes own_a where own_a.gpu_key = ${gpuKey} and own_a.valid_from <= ${at}
      and ${this.place("own_a")})`;
  }

  /** A condition on a row of `gpu_attributes`: the place is own, and an own workload has held the GPU there. Others can have had it
   *  elsewhere in between, and a bucket of time can begin then. */
  heldPlace(alias: string): string {
    if (!this.restrictsNamespaces) return this.place(alias);
    return `${this.place(alias)} and exists (select from gpu_workloads own_w where ${this.heldBy("own_w.occupants")}
      and ${areAtOnce(["gpu_workloads", "own_w"], ["gpu_attributes", alias])})`;
  }

  /** A condition on a row of `gpu_workloads`: a workload is own, and has held the GPU in an own place. */
  placedWorkload(alias: string): string {
    if (!this.restrictsPlaces) return this.heldBy(`${alias}.occupants`);
    return `${this.heldBy(`${alias}.occupants`)} and exists (select from gpu_attributes own_a where ${this.place("own_a")}
      and ${areAtOnce(["gpu_attributes", "own_a"], ["gpu_workloads", alias])})`;
  }

  /** A query for the own workloads in a list. */
  ownIn(list: string): string {
    return `select from jsonb_array_elements(${list}) own_o where own_o.value->>'namespace' = any(${this.names("namespaces")})`;
  }

  /** A condition on a namespace. */
  namespace(expression: string): string {
    return this.bounds.namespaces === undefined ? "true" : `${expression} = any(${this.names("namespaces")})`;
  }

  /** A condition on a row of telemetry, for rows that are read one after another: the place of its GPU is looked up for each. */
  record(alias: string): string {
    return this.restrictsPlaces ? `${this.heldRecord(alias)} and ${this.placedRecord(alias)}` : this.heldRecord(alias);
  }

  /** A condition on the columns `gpu_key` and `time` of a row: its GPU was in an own place then. */
  placedRecord(alias: string): string {
    if (!this.restrictsPlaces) return "true";
    return `exists (select from (
    select a.cluster_id, a.hostname from gpu_attributes a where a.gpu_key = ${alias}.gpu_key and a.valid_from <= ${alias}.time
    order by a.valid_from desc limit 1) own_a where ${this.place("own_a")})`;
  }

  /** A condition on a row of telemetry, for many rows: the places of all GPUs are read first. */
  recordOfMany(alias: string): string {
    if (!this.restrictsPlaces) return this.heldRecord(alias);
    return `${this.heldRecord(alias)} and exists (select from (${placeSpans()}) own_p
    where own_p.gpu_key = ${alias}.gpu_key and ${alias}.time >= own_p.from_at and ${alias}.time < own_p.to_at and ${this.place("own_p")})`;
  }

  /** An SQL expression: how many of a block's records are within. Its instants are decoded only if its GPU moved in between.
   *  @param alias a row of `blocks` */
  recordsOfBlock(alias: string): string {
    const held = this.restrictsNamespaces
      ? `(select coalesce(sum(own_r.records), 0)::int8 from ${runsOfBlock(alias)} own_r where ${this.heldRecord("own_r")})`
      : `${alias}.records`;
    if (!this.restrictsPlaces) return held;
    const place = (condition: string): string => `exists (select from (${placeSpans()}) own_p
    where own_p.gpu_key = ${alias}.gpu_key and ${condition} and ${this.place("own_p")})`;
    return `case when ${place(`own_p.from_at <= ${alias}.from_at and own_p.to_at > ${alias}.to_at`)} then ${held}
    when not ${place(`own_p.from_at <= ${alias}.to_at and own_p.to_at > ${alias}.from_at`)} then 0
    else (select count(*) from ${recordsOfBlock(alias)} own_t where ${this.recordOfMany("own_t")}) end`;
  }

  /** A list of names, as an array. As a query, it is read once, not for each row. */
  names(list: keyof GpuBounds): string {
    const placeholder = (this.placeholders[list] ??= this.conditions.param(textArray(this.bounds[list] ?? [])));
    return `(select ${placeholder}::text::text[])::text[]`;
  }
}

/** A condition: the states of two rows are of one GPU, and hold at one time. @param first,second a table and its alias */
function areAtOnce([table, a]: readonly [string, string], [other, b]: readonly [string, string]): string {
  const end = (from: string, row: string): string =>
    `coalesce((select min(n.valid_from) from ${from} n where n.gpu_key = ${row}.gpu_key and n.valid_from > ${row}.valid_from), 'infinity')`;
  return `${a}.gpu_key = ${b}.gpu_key and ${a}.valid_from < ${end(other, b)} and ${end(table, a)} > ${b}.valid_from`;
}

/** The spans of GPUs' attributes. A GPU's first attributes also apply to all its earlier records.
 *  @param only a `where` clause; absent: all GPUs */
export const placeSpans = (only = ""): string => `
select gpu_key, cluster_id, hostname,
  case when lag(valid_from) over w is null then '-infinity' else valid_from end as from_at,
  lead(valid_from, 1, 'infinity') over w as to_at
from gpu_attributes${only} window w as (partition by gpu_key order by valid_from)`;

/** The rows of telemetry that a statement reads: all of them, or what lies within bounds. */
export function telemetryOf(own: OwnRows | undefined): string {
  return own === undefined ? "telemetry" : `(select own_t.* from telemetry own_t where ${own.recordOfMany("own_t")})`;
}

/** A query for the records of a block, or for those within bounds, in no order: `time`. @param alias a row of `blocks` */
export function ownRecordsOfBlock(alias: string, own: OwnRows | undefined): string {
  if (own === undefined) return `(select time from ${instantsOfBlock(alias)} as time)`;
  return `(select own_t.time from ${recordsOfBlock(alias)} own_t where ${own.recordOfMany("own_t")})`;
}

/** CTE `own_time(gpu_key, spans)`: when each GPU was within, as multiranges that are not empty.
 *  @param gpuKeys a query for the GPUs; undefined: all */
export function ownTime(own: OwnRows, gpuKeys?: string): string {
  const only = gpuKeys === undefined ? "" : ` where gpu_key in (${gpuKeys})`;
  const places = `
place_times as (
  select gpu_key, range_agg(tstzrange(from_at, to_at)) as spans from (${placeSpans(only)}) p where ${own.place("p")} group by gpu_key)`;
  const held = `
held_times as (
  select gpu_key, range_agg(tstzrange(valid_from, to_at)) as spans from (
    select gpu_key, valid_from, occupants, lead(valid_from, 1, 'infinity') over (partition by gpu_key order by valid_from) as to_at
    from gpu_workloads${only}) w where ${own.heldBy("w.occupants")} group by gpu_key)`;
  if (!own.restrictsNamespaces) return `${places},\nown_time as (select * from place_times)`;
  if (!own.restrictsPlaces) return `${held},\nown_time as (select * from held_times)`;
  return `${places},${held},
own_time as (
  select gpu_key, p.spans * h.spans as spans from place_times p join held_times h using (gpu_key) where not isempty(p.spans * h.spans))`;
}

/** CTEs: `own_time`, and `own_gpus` with the columns of `gpus`: every GPU that was ever within, as it was when it was last seen within.
 *  `is_own` is true if it is within now; `began_at` is when it last came, `-infinity` if it always was. */
export function ownGpus(own: OwnRows): string {
  return `${ownTime(own)},
own_gpus as materialized (
  select g.gpu_key, g.uuid, a.cluster_id, a.hostname, a.gpu_id, a.model_name,
    case when isfinite(lower(o.spans)) then lower(o.spans) else g.first_seen_at end as first_seen_at,
    case when upper(o.spans) = 'infinity' then greatest(g.last_seen_at, n.last_began)
      else (${newestBetween("g.gpu_key", "n.last_began", "upper(o.spans)")}) end as last_seen_at,
    upper(o.spans) = 'infinity' as is_own, n.last_began as began_at
  from gpus g join own_time o using (gpu_key)
  cross join lateral (select max(lower(span)) as last_began from unnest(o.spans) as span) n
  cross join lateral (
    select cluster_id, hostname, gpu_id, model_name from gpu_attributes s
    where s.gpu_key = g.gpu_key and s.valid_from < upper(o.spans) and ${own.place("s")} order by s.valid_from desc limit 1) a)`;
}
