import { coverageHourMs } from "../../domain/coverage.ts";
import { type AggregateFilter, type Grouping, rollupMs } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { deviceStates, gpusTable } from "./device-states.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { type LearnedRange, learnedSpans } from "./learned-devices.ts";
import { type LearnedStep, selectLearnedSteps } from "./learned-steps.ts";
import { ownGpus, OwnRows } from "./own-rows.ts";
import { ownSources } from "./own-sources.ts";
import { msOf, sourcesOfDevices, sourceSpans } from "./source-hours.ts";
import { namespacesOf } from "./stored-occupants.ts";

/** Devices of a group of which records were due at the same instants: at `k * intervalMs + phaseMs`, from `fromMs` up to `toMs`, which
 *  is not included. */
export interface ScheduledDevices {
  readonly group: readonly string[];
  readonly devices: number;
  /** Null for devices of which it is not known when records were due; what was expected of their group is then not known. */
  readonly intervalMs: number | null;
  readonly phaseMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The columns that identify a group: of `gpus`, or of the workloads that held a device. */
const groupColumns: Readonly<Record<Grouping, readonly string[]>> = {
  cluster: ["g.cluster_id"],
  host: ["g.cluster_id", "g.hostname"],
  gpu: ["g.uuid"],
  model: ["g.model_name"],
  namespace: ["w.namespace"],
};

/** The placeholders of the aggregate's whole minutes, hours or days, and of the hours that times between records are learned from. */
interface Bounds extends LearnedRange {
  readonly from: string;
  readonly to: string;
}

/** When records of the devices of an aggregate were due, by the present attributes of the devices. */
export async function selectExpected(
  executor: SqlExecutor,
  filter: AggregateFilter,
): Promise<readonly ScheduledDevices[]> {
  const { gpus, range, resolution } = filter;
  const widthMs = rollupMs[resolution];
  const wholeFrom = (bound: number): number => Math.ceil(bound / widthMs) * widthMs;
  const [fromMs, toMs] = [wholeFrom(range.fromMs), wholeFrom(range.toMs)];
  if (fromMs >= toMs) return [];
  const firstHourMs = Math.floor(fromMs / coverageHourMs) * coverageHourMs;
  const lastHourMs = (Math.ceil(toMs / coverageHourMs) - 1) * coverageHourMs;
  const selected = addAttributeConditions(new Conditions(), gpus, {
    key: "g.gpu_key",
    attribute: (column) => `g.${column}`,
  });
  const bounds: Bounds = {
    from: selected.param(fromMs),
    to: selected.param(toMs),
    firstHour: selected.param(firstHourMs),
    lastHour: selected.param(lastHourMs),
  };
  // within bounds, not all records of a block count
  const steps =
    gpus.within === undefined
      ? known(await selectLearnedSteps(executor, gpus, { firstHourMs, lastHourMs }), selected)
      : undefined;
  return executor.query<ScheduledDevices>(expectedQuery(filter, { selected, bounds, steps }), selected.params);
}

/** @param steps a query for the times between records that are known; undefined: they are learned */
function expectedQuery(
  { groupBy, gpus }: AggregateFilter,
  {
    selected,
    bounds,
    steps,
  }: { readonly selected: Conditions; readonly bounds: Bounds; readonly steps: string | undefined },
): string {
  const own = gpus.within && new OwnRows(gpus.within, selected);
  const held = heldBy(bounds, own);
  const [workloads, join] = groupBy === "namespace" ? [held.ctes, held.join] : ["", ""];
  const part = (bound: string): string => (groupBy === "namespace" ? `, ${held[bound as "from" | "to"]}` : "");
  const names = groupColumns[groupBy].map((column, index) => [`name_${index}`, column] as const);
  const groupNames = names.map(([name]) => name).join(", ");
  // grouped by numbers first: names take longer to compare
  return `
with ${own === undefined ? "" : `${ownGpus(own)},${ownSources},`} devices as materialized (
  select g.*, ${msOf("g.first_seen_at")} as first_ms, ${msOf("g.last_seen_at + interval '10 minutes'")} as last_ms
  from ${gpusTable(own)} g ${selected.after("where")}),
${dueSpans(bounds, { own, steps })},${workloads}
parts as (
  select ${names.map(([name, column]) => `${column} as ${name}`).join(", ")}, s.interval_ms, s.phase_ms,
    greatest(s.from_ms, ${bounds.from}::float8, ${msOf("lower(part)")}${part("from")}) as from_ms,
    least(s.to_ms, ${bounds.to}::float8, ${msOf("upper(part)")}${part("to")}) as to_ms
  from due_spans s join devices g using (gpu_key) ${join} left join device_states o using (gpu_key)
  cross join lateral unnest(tstzmultirange(tstzrange(null, null)) - coalesce(o.gone + o.maintained, '{}')) as part
  where s.from_ms < ${bounds.to}::float8 and s.to_ms > ${bounds.from}::float8)
select to_jsonb(array[${groupNames}]) as "group", count(*)::float8 as devices, interval_ms as "intervalMs", phase_ms as "phaseMs", from_ms as "fromMs",
  to_ms as "toMs"
from parts where from_ms < to_ms group by to_ms, from_ms, phase_ms, interval_ms, ${groupNames}`;
}

/** A query for steps that are known. */
function known(steps: readonly LearnedStep[], conditions: Conditions): string {
  const column = (of: (step: LearnedStep) => number): string => conditions.param(numberArray(steps.map(of)));
  return `
  select gpu_key, step_ms, steps, to_timestamp(newest_ms / 1000.0) as newest_at
  from unnest(${column(({ gpuKey }) => gpuKey)}::text::int8[], ${column(({ stepMs }) => stepMs)}::text::float8[],
    ${column((step) => step.steps)}::text::int8[], ${column(({ newestMs }) => newestMs)}::text::float8[])
    as u(gpu_key, step_ms, steps, newest_ms)`;
}

/** CTEs that follow `devices`: `due_spans(gpu_key, interval_ms, phase_ms, from_ms, to_ms)`, by the schedules of the live sources, or as
 *  learned from the records. Records of files come at about the learned times: half an interval around the first and the last record is
 *  theirs. The interval is NULL where it is not known when records were due: before a device's first source with readings in the
 *  ledger, and if the records that it could be learned from are too few or deleted. */
function dueSpans(
  range: LearnedRange,
  { own, steps }: { readonly own: OwnRows | undefined; readonly steps: string | undefined },
): string {
  const phase = (instant: string, interval: string): string =>
    `${instant} - floor(${instant} / ${interval}) * ${interval}`;
  return `
${sourceSpans(sourcesOfDevices(own), msOf("now()"), own)},
${learnedSpans(range, { own, steps })},
${deviceStates("select gpu_key from devices", own)},
begun as (
  select p.gpu_key, min(greatest(p.first_ms, coalesce(s.first_hour_ms, 'infinity'))) as first_ms
  from spans p left join sources s using (source_id) group by p.gpu_key
  having min(p.first_ms) < ${range.lastHour}::float8 + ${coverageHourMs}),
due_spans as (
  select p.gpu_key, s.interval_ms, ${phase("p.reading_ms", "s.interval_ms")} as phase_ms, greatest(p.first_ms, s.first_hour_ms) as from_ms,
    least(p.until_ms, s.cutoff_ms) as to_ms
  from (${readingOf(own)}) p join sources s using (source_id)
  union all
  select gpu_key, step_ms, coalesce(${phase("newest_ms", "step_ms")}, 0), first_ms - coalesce(step_ms, 0) / 2,
    case when step_ms is null then source_ms + 1 else last_ms + step_ms / 2 end
  from learned_spans
  union all
  select d.gpu_key, null, 0, d.first_ms, coalesce(nullif(b.first_ms, 'infinity'), d.last_ms)
  from devices d left join begun b using (gpu_key)
  where d.first_ms < coalesce(b.first_ms, 'infinity') and not exists (select from learned_spans l where l.gpu_key = d.gpu_key))`;
}

/** A query for the rows of `spans`, each with an instant at which the source was read. With bounds, that of a device's record if the device
 *  is not within now: the source may have been read since. */
function readingOf(own: OwnRows | undefined): string {
  if (own === undefined) return "select p.*, r.last_ms as reading_ms from spans p join sources r using (source_id)";
  const began = msOf("d.began_at");
  return `
  select p.*, case when d.is_own and p.until_ms = 'infinity' then r.last_ms
    when ${began} between p.first_ms and p.until_ms then ${began} else p.first_ms end as reading_ms
  from spans p join sources r using (source_id) join devices d using (gpu_key)`;
}

/** A lateral query for the workloads of a device `d` in a time. With bounds, those that held it while it was within: `o` is its row of
 *  `own_time`. */
function workloadsOf(from: string, until: string, own: OwnRows | undefined): string {
  if (own === undefined) {
    return `
    (select * from gpu_workloads where gpu_key = d.gpu_key and valid_from <= ${from} order by valid_from desc limit 1)
    union all
    select * from gpu_workloads where gpu_key = d.gpu_key and valid_from > ${from} and valid_from <= ${until}`;
  }
  return `
    select greatest(w.valid_from, lower(span)) as valid_from, w.occupants
    from unnest(o.spans * tstzmultirange(tstzrange(${from}, ${until}))) as span
    cross join lateral (
      (select * from gpu_workloads where gpu_key = d.gpu_key and valid_from <= lower(span) order by valid_from desc limit 1)
      union all
      select * from gpu_workloads where gpu_key = d.gpu_key and valid_from > lower(span) and valid_from < upper(span)) w`;
}

/** CTEs that follow `devices`: `held(gpu_key, namespace, from_ms, to_ms)`, when workloads of each namespace held each device; the
 *  namespace is empty where none is known. With it, the join with the due records `s`, and the bounds of the part that is theirs: a
 *  record is due up to half an interval before the first record with the workload. */
function heldBy(
  { from, to }: Bounds,
  own: OwnRows | undefined,
): { readonly ctes: string; readonly join: string; readonly from: string; readonly to: string } {
  const at = (bound: string): string => `to_timestamp(${bound}::float8 / 1000.0)`;
  const boundary = (instant: string): string => `${instant} - coalesce(s.interval_ms, 0) / 2`;
  const isOwnOnly = own?.restrictsNamespaces === true;
  const unheld = `
  union all
  select gpu_key, '', '-infinity', coalesce(min(${msOf("w.valid_from")}), 'infinity')
  from devices d left join workloads w using (gpu_key) group by gpu_key`;
  const ctes = `
workloads as (
  select d.gpu_key, w.valid_from, array(${namespacesOf("coalesce(nullif(w.occupants, '[]'), '[{\"namespace\": \"\"}]')", own)} order by 1) as names
  from devices d ${own === undefined ? "" : "join own_time o using (gpu_key)"} cross join lateral (${workloadsOf(at(from), `${at(to)} + interval '1 day'`, own)}) w),
changes as (
  select gpu_key, valid_from, names, lag(names) over (partition by gpu_key order by valid_from) as before from workloads),
held as (
  select gpu_key, unnest(names) as namespace, ${msOf("valid_from")} as from_ms,
    coalesce(${msOf("lead(valid_from) over (partition by gpu_key order by valid_from)")}, 'infinity') as to_ms
  from changes where before is distinct from names${isOwnOnly ? "" : unheld}),`;
  return {
    ctes,
    join: "join held w using (gpu_key)",
    from: boundary("w.from_ms"),
    to: boundary("w.to_ms"),
  };
}
