import {
  coverageHourMs,
  type CoverageFilter,
  type CoverageGrouping,
  type MissingReason,
} from "../../domain/coverage.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { currentDevices, deviceStates, excusedDevices, excusedSources } from "./device-states.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { neverSeen } from "./never-seen.ts";
import { bucketOf } from "./rollup-source.ts";
import { type HoursParameters, msOf, scheduledDevices, sourceHours, sourcesOfDevices } from "./source-hours.ts";

/** The devices of a group that have one source, in one hour. */
export interface CoveragePart {
  readonly timeMs: number;
  /** The values that identify the group. */
  readonly group: readonly string[];
  readonly devices: number;
  /** Null if what was expected of one of the devices is not known. */
  readonly expected: number | null;
  readonly received: number;
  /** Expected readings that were not received. */
  readonly missing: number;
  /** Readings that were due under maintenance and not received; they are not expected. */
  readonly maintenance: number;
  /** True if these are declared devices that had not been seen. */
  readonly isDeclared: boolean;
  /** True if it was learned from the records what is expected. */
  readonly isLearned: boolean;
  readonly intervalMs: number | null;
  /** The figures of the source in this hour; null without a source. */
  readonly sourceId: string | null;
  readonly pending: number | null;
  readonly late: number | null;
  readonly frozen: number | null;
  readonly quarantined: number | null;
  readonly missed: Readonly<Partial<Record<MissingReason, number>>> | null;
}

/** The columns of `devices` that identify a group. */
const groupColumns: Readonly<Record<Exclude<CoverageGrouping, "target">, readonly string[]>> = {
  device: ["cluster_id", "hostname", "uuid"],
  host: ["cluster_id", "hostname"],
  cluster: ["cluster_id"],
};

/** The parts of the rows of a coverage, ordered by time and group. If more rows than the limit exist, the parts are those of one row
 *  more than the limit. */
export function selectCoverage(executor: SqlExecutor, filter: CoverageFilter): Promise<CoveragePart[]> {
  const conditions = new Conditions();
  const params = hoursParameters(filter, conditions);
  const devices = devicesQuery(filter, conditions);
  const parts =
    filter.groupBy === "target"
      ? targetParts(filter, devices, params)
      : `${deviceParts(filter, devices, params)},${allParts(filter, params, conditions)}`;
  const { text } = page(parts, filter, conditions);
  return executor.query<CoveragePart>(text, conditions.params);
}

function hoursParameters({ range: { fromMs, toMs }, nowMs }: CoverageFilter, conditions: Conditions): HoursParameters {
  const first = Math.ceil(fromMs / coverageHourMs) * coverageHourMs;
  const last = (Math.ceil(toMs / coverageHourMs) - 1) * coverageHourMs;
  return { firstHour: conditions.param(first), lastHour: conditions.param(last), now: conditions.param(nowMs) };
}

function devicesQuery({ gpus }: CoverageFilter, { params }: Conditions): string {
  const selected = addAttributeConditions(new Conditions(params), gpus, {
    key: "g.gpu_key",
    attribute: (column) => `g.${column}`,
  });
  return `devices as materialized (
  select g.gpu_key, g.uuid, g.cluster_id, g.hostname, g.first_seen_at from gpus g ${selected.after("where")})`;
}

/** Numbers the rows by time and group, and keeps those up to the limit. */
function page(
  parts: string,
  { after, limit, step }: CoverageFilter,
  conditions: Conditions,
): { readonly text: string } {
  const bucket = step === "hour" ? "p.hour_ms" : "0";
  const { params } = conditions;
  const condition = new Conditions(params);
  if (after !== undefined) {
    const time = step === "hour" ? condition.param(after.timeMs) : "0";
    const values = after.group.map((value) => `${condition.param(value)}::text`);
    condition.addText(`(${bucket}, p.names) > (${time}::float8, array[${values.join(", ")}] collate "C")`);
  }
  const text = `
${parts},
places as (select p.*, dense_rank() over (order by ${bucket}, p.names) as place from parts p ${condition.after("where")})
select hour_ms::float8 as "timeMs", to_jsonb(names) as "group", devices::float8 as devices, expected, received, missing, maintenance,
  is_declared as "isDeclared", is_learned as "isLearned", interval_ms as "intervalMs", source_id as "sourceId", pending, late, frozen, quarantined, missed
from places where place <= ${condition.param(limit + 1)} order by place, hour_ms, source_id`;
  return { text };
}

/** The ids of all sources: jumps from one id to the next in the index, because a source has a row for each hour. */
const everySource = `
with recursive ids as (
  (select source_id from source_readings order by source_id limit 1)
  union all
  select (select r.source_id from source_readings r where r.source_id > ids.source_id order by r.source_id limit 1)
  from ids where ids.source_id is not null)
select source_id from ids where source_id is not null`;

function targetParts(filter: CoverageFilter, devices: string, params: HoursParameters): string {
  const isSelecting = Object.values(filter.gpus).some((value) => value !== undefined);
  return `
with ${devices},
${sourceHours(isSelecting ? sourcesOfDevices : everySource, params)},
${deviceStates(`select gpu_key from (${currentDevices("select source_id from sources")}) d`)},
${excusedSources},
parts as (
  select hour_ms, array[source_id] collate "C" as names, devices, due + pending - coalesce(x.excused, 0) as expected, received,
    due + pending - received - coalesce(x.excused, 0) as missing, coalesce(x.maintenance, 0) as maintenance, false as is_declared,
    false as is_learned, interval_ms, source_id, pending, late, frozen, quarantined, missed
  from source_hours left join excused x using (source_id, hour_ms)
  where due + pending > coalesce(x.excused, 0) or x.maintenance > 0)`;
}

function deviceParts({ groupBy }: CoverageFilter, devices: string, params: HoursParameters): string {
  const columns = groupColumns[groupBy as keyof typeof groupColumns].map((name) => `d.${name}`).join(", ");
  return `
with ${devices},
${sourceHours(sourcesOfDevices, params)},
${scheduledDevices},
counts as (
  select t.gpu_key, ${msOf(bucketOf("1h", "t.time"))} as hour_ms, count(*)::float8 as received
  from telemetry t join devices using (gpu_key)
  where t.time >= to_timestamp(${params.firstHour}::float8 / 1000.0)
    and t.time < to_timestamp((${params.lastHour}::float8 + ${coverageHourMs}) / 1000.0)
  group by 1, 2),
${learnedDevices(params)},
${deviceStates("select gpu_key from devices")},
${excusedDevices(params)},
due_hours as (
  select gpu_key, hour_ms, coalesce(s.expected, l.expected) as due, coalesce(c.received, 0) as received,
    s.gpu_key is null as is_learned, s.source_id, l.step_ms
  from scheduled s
  full join learned l using (gpu_key, hour_ms)
  full join counts c using (gpu_key, hour_ms)),
device_hours as (
  select u.*, due - least(due, coalesce(x.excused, 0)) as expected, least(due, coalesce(x.maintenance, 0)) as maintenance
  from due_hours u left join excused x using (gpu_key, hour_ms)),
summed as (
  select x.hour_ms, array[${columns}] collate "C" as names, x.source_id, x.is_learned, count(*) as devices,
    case when bool_or(x.expected is null) then null else sum(x.expected) end as expected, sum(x.received) as received,
    sum(greatest(0, x.expected - x.received)) as missing, sum(x.maintenance) as maintenance,
    case when min(x.step_ms) = max(x.step_ms) then min(x.step_ms) end as step_ms
  from device_hours x join devices d using (gpu_key) where x.expected is distinct from 0 or x.received > 0 or x.maintenance > 0
  group by x.hour_ms, ${columns}, x.source_id, x.is_learned),
seen_parts as (
  select u.hour_ms, u.names, u.devices, u.expected, u.received, coalesce(u.missing, 0) as missing, u.maintenance, false as is_declared,
    u.is_learned, coalesce(h.interval_ms, u.step_ms) as interval_ms, u.source_id, h.pending, h.late, h.frozen, h.quarantined, h.missed
  from summed u left join source_hours h on h.source_id = u.source_id and h.hour_ms = u.hour_ms)`;
}

/** CTEs: the parts of the devices that were seen, and those of declared ones that were not. */
function allParts({ groupBy, gpus }: CoverageFilter, params: HoursParameters, conditions: Conditions): string {
  const columns = groupColumns[groupBy as keyof typeof groupColumns].map((name) => `n.${name}`).join(", ");
  return `${neverSeen(gpus, params, conditions.params)},
parts as (
  select * from seen_parts
  union all
  select n.hour_ms, array[${columns}] collate "C", sum(n.gpus), case when bool_or(n.expected is null) then null else sum(n.expected) end,
    0, coalesce(sum(n.expected), 0), sum(n.maintenance), true, false,
    case when min(n.interval_ms) = max(n.interval_ms) then min(n.interval_ms) end, null, 0, 0, 0, 0,
    jsonb_build_object('never_seen', coalesce(sum(n.expected), 0))
  from never_seen n where n.expected is distinct from 0 or n.maintenance > 0 group by n.hour_ms, ${columns})`;
}

/** CTEs: what was expected of the devices that no schedule covers. The time between records is the median of the device's in the
 *  range; of all such devices if the device has less than three records. A device is expected from its first record in the store to
 *  its last one: when a file ends, no more is expected. */
function learnedDevices({ firstHour, lastHour }: HoursParameters): string {
  return `
learners as (select distinct c.gpu_key from counts c where not exists (select from scheduled s where s.gpu_key = c.gpu_key)),
steps as (
  select gpu_key, percentile_disc(0.5) within group (order by step_ms) as step_ms, count(step_ms) as steps
  from (
    select t.gpu_key, ${msOf("t.time")} - ${msOf("lag(t.time) over (partition by t.gpu_key order by t.time)")} as step_ms
    from telemetry t join learners using (gpu_key)
    where t.time >= to_timestamp(${firstHour}::float8 / 1000.0)
      and t.time < to_timestamp((${lastHour}::float8 + ${coverageHourMs}) / 1000.0)) gaps
  group by gpu_key),
usual as (select percentile_disc(0.5) within group (order by step_ms) as step_ms from steps),
learned_spans as (
  select s.gpu_key, case when s.steps >= 2 then s.step_ms else usual.step_ms end as step_ms, ${msOf("d.first_seen_at")} as first_ms,
    ${msOf("last.time")} as last_ms
  from steps s cross join usual join devices d using (gpu_key)
  cross join lateral (select time from telemetry t where t.gpu_key = s.gpu_key order by time desc limit 1) last),
learned as (
  select gpu_key, h.hour_ms, step_ms, greatest(h.hour_ms, first_ms) as from_ms, least(h.hour_ms + ${coverageHourMs}, last_ms + 1) as to_ms,
    floor((least(h.hour_ms + ${coverageHourMs - 1}, last_ms) - greatest(h.hour_ms, first_ms)) / step_ms) + 1 as expected
  from learned_spans
  join generate_series(${firstHour}::float8::int8, ${lastHour}::float8::int8, ${coverageHourMs}) as h(hour_ms)
    on h.hour_ms + ${coverageHourMs} > first_ms and h.hour_ms <= last_ms)`;
}
