import { type CoverageFilter, type CoverageGrouping, type MissingReason } from "../../domain/coverage.ts";
import type { SqlExecutor } from "../client.ts";
import { type CoverageWindow, firstWindow, nextWindow, wholeRange } from "./coverage-windows.ts";
import { Conditions } from "./conditions.ts";
import { currentDevices, deviceStates, excusedDevices, excusedSources, gpusTable } from "./device-states.ts";
import { frozenDevices, frozenOfSource, frozenUnnamed } from "./frozen-devices.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { learnedDevices, type LearnedRange } from "./learned-devices.ts";
import { partialHours } from "./missed-parts.ts";
import { neverSeen } from "./never-seen.ts";
import { ownGpus, OwnRows, telemetryOf } from "./own-rows.ts";
import { ownSourceHours, sourceHoursOf } from "./own-source-hours.ts";
import { ownSources } from "./own-sources.ts";
import { everySource } from "./end-source.ts";
import { bucketOf } from "./rollup-source.ts";
import { scheduledDevices, spanHours } from "./scheduled-devices.ts";
import { type HoursParameters, msOf, sourceHours, sourcesOfDevices, withinHours } from "./source-hours.ts";

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
  /** Readings of which no streamer has said what became of them. */
  readonly pending: number | null;
  /** Readings that would have been due if no list had lost the source. */
  readonly unlisted: number | null;
  /** Missed readings of which it is not known whether the devices belonged to the source then. */
  readonly unplaced: number | null;
  readonly late: number | null;
  /** Readings that repeat old values of these devices. By target, all those of the source. */
  readonly frozen: number;
  /** Further ones of the source, which does not say of which devices. */
  readonly frozenUnnamed: number;
  readonly quarantined: number | null;
  /** Of each of the devices' sources. */
  readonly missed: readonly Readonly<Partial<Record<MissingReason, number>>>[] | null;
}

/** The columns of `devices` that identify a group. */
const groupColumns: Readonly<Record<Exclude<CoverageGrouping, "target">, readonly string[]>> = {
  device: ["cluster_id", "hostname", "uuid"],
  host: ["cluster_id", "hostname"],
  cluster: ["cluster_id"],
};

/** The parts of the rows of a coverage, ordered by time and group; of more rows than the limit if more rows exist. By device, only the
 *  hours and devices of the page are read. */
export async function selectCoverage(executor: SqlExecutor, filter: CoverageFilter): Promise<CoveragePart[]> {
  if (filter.groupBy !== "device") return selectParts(executor, filter, { ...wholeRange(filter), last: undefined });
  const parts: CoveragePart[] = [];
  const places = new Set<string>();
  let window: CoverageWindow | undefined = firstWindow(filter);
  while (window !== undefined && places.size <= filter.limit) {
    const [last, before] = [await lastDevice(executor, filter, window), places.size];
    for (const part of await selectParts(executor, filter, { ...window, last })) {
      parts.push(part);
      places.add(JSON.stringify([filter.step === "hour" ? part.timeMs : 0, part.group]));
    }
    window = nextWindow(filter, window, { last, rows: places.size - before });
  }
  return parts;
}

/** A window, with the names of its last device; undefined: no device follows. */
type BoundedWindow = CoverageWindow & { readonly last: readonly string[] | undefined };

function selectParts(executor: SqlExecutor, filter: CoverageFilter, window: BoundedWindow): Promise<CoveragePart[]> {
  const conditions = new Conditions();
  const hours: HoursParameters = {
    firstHour: conditions.param(window.firstHourMs),
    lastHour: conditions.param(window.lastHourMs),
    now: conditions.param(filter.nowMs),
  };
  const own = filter.gpus.within && new OwnRows(filter.gpus.within, conditions);
  const devices = devicesQuery(filter, window, { conditions, own });
  const parts =
    filter.groupBy === "target"
      ? targetParts(filter, devices, { hours, own })
      : `${deviceParts(filter, devices, { hours, own, range: learnedRange(filter, conditions) })},${allParts(filter, hours, { conditions, own })}`;
  const { text } = page(parts, { ...filter, window }, conditions);
  return executor.query<CoveragePart>(text, conditions.params);
}

function learnedRange(filter: CoverageFilter, conditions: Conditions): LearnedRange {
  const { firstHourMs, lastHourMs } = wholeRange(filter);
  return { firstHour: conditions.param(firstHourMs), lastHour: conditions.param(lastHourMs) };
}

/** An array of names, as the columns that identify a device. */
function namesOf(names: readonly string[], conditions: Conditions): string {
  return `array[${names.map((name) => `${conditions.param(name)}::text`).join(", ")}] collate "C"`;
}

const deviceNames = `array[${groupColumns.device.map((name) => `g.${name}`).join(", ")}] collate "C"`;

function selected({ gpus }: CoverageFilter, conditions: Conditions): Conditions {
  return addAttributeConditions(new Conditions(conditions.params), gpus, {
    key: "g.gpu_key",
    attribute: (column) => `g.${column}`,
  });
}

/** The names of the last device of a window; undefined if no device follows it. */
async function lastDevice(
  executor: SqlExecutor,
  filter: CoverageFilter,
  { after, devices }: CoverageWindow,
): Promise<readonly string[] | undefined> {
  if (devices === Infinity) return undefined;
  const conditions = selected(filter, new Conditions());
  const own = filter.gpus.within && new OwnRows(filter.gpus.within, conditions);
  if (after !== undefined) conditions.addText(`${deviceNames} > ${namesOf(after, conditions)}`);
  const rows = await executor.query<{ names: readonly string[] }>(
    `${own === undefined ? "" : `with ${ownGpus(own)}`} select to_jsonb(${deviceNames}) as names from ${gpusTable(own)} g ${conditions.after("where")} order by ${deviceNames}
     offset ${conditions.param(devices - 1)}::float8::int8 limit 2`,
    conditions.params,
  );
  return rows.length === 2 ? rows[0]?.names : undefined;
}

/** The conditions of a statement, with those of the caller's bounds. */
interface Bounded {
  readonly conditions: Conditions;
  readonly own: OwnRows | undefined;
}

function devicesQuery(filter: CoverageFilter, { after, last }: BoundedWindow, { conditions, own }: Bounded): string {
  const every = selected(filter, conditions);
  const within = new Conditions(conditions.params);
  if (after !== undefined) within.addText(`${deviceNames} > ${namesOf(after, within)}`);
  if (last !== undefined) within.addText(`${deviceNames} <= ${namesOf(last, within)}`);
  return `${own === undefined ? "" : `${ownGpus(own)},${ownSources},`}
all_devices as (
  select g.gpu_key, g.uuid, g.cluster_id, g.hostname, g.first_seen_at from ${gpusTable(own)} g ${every.after("where")}),
devices as materialized (select * from all_devices g ${within.after("where")})`;
}

/** Numbers the rows by time and group, and keeps those up to the limit. */
function page(
  parts: string,
  { after, limit, step, window }: CoverageFilter & { readonly window: BoundedWindow },
  conditions: Conditions,
): { readonly text: string } {
  const bucket = step === "hour" ? "p.hour_ms" : "0";
  const { params } = conditions;
  const condition = new Conditions(params);
  if (after !== undefined) {
    const time = step === "hour" ? condition.param(after.timeMs) : "0";
    condition.addText(`(${bucket}, p.names) > (${time}::float8, ${namesOf(after.group, condition)})`);
  }
  // the devices of the window are selected already, but declared ones that were not seen are not
  if (window.after !== undefined) condition.addText(`p.names > ${namesOf(window.after, condition)}`);
  if (window.last !== undefined) condition.addText(`p.names <= ${namesOf(window.last, condition)}`);
  const text = `
${parts},
places as (select p.*, dense_rank() over (order by ${bucket}, p.names) as place from parts p ${condition.after("where")})
select hour_ms::float8 as "timeMs", to_jsonb(names) as "group", devices::float8 as devices, expected, received, missing, maintenance,
  is_declared as "isDeclared", is_learned as "isLearned", interval_ms as "intervalMs", source_id as "sourceId", pending, unlisted, unplaced, late,
  frozen, frozen_unnamed as "frozenUnnamed", quarantined, missed
from places where place <= ${condition.param(limit + 1)} order by place, hour_ms, source_id`;
  return { text };
}

function targetParts(
  filter: CoverageFilter,
  devices: string,
  { hours: params, own }: { readonly hours: HoursParameters; readonly own: OwnRows | undefined },
): string {
  const isSelecting = Object.values(filter.gpus).some((value) => value !== undefined);
  return `
with ${devices},
${sourceHours(isSelecting ? sourcesOfDevices(own) : everySource, params, own)},
${own === undefined ? "" : `${spanHours(params, own)},${ownSourceHours},`}
${deviceStates(`select gpu_key from (${currentDevices("select source_id from sources", own)}) d`, own)},
${excusedSources(own)},
parts as (
  select hour_ms, array[source_id] collate "C" as names, devices, due + h.pending - coalesce(x.excused, 0) as expected, received,
    due + h.pending - received - coalesce(x.excused, 0) as missing, coalesce(x.maintenance, 0) as maintenance, false as is_declared,
    false as is_learned, interval_ms, source_id, coalesce(x.pending, h.pending) as pending, 0 as unlisted,
    coalesce(x.unplaced, 0) as unplaced, late, ${frozenOfSource(own)} as frozen, 0 as frozen_unnamed, quarantined,
    jsonb_build_array(coalesce(x.missed, h.missed)) as missed
  from ${sourceHoursOf(own)} h left join excused x using (source_id, hour_ms)
  where due + h.pending > coalesce(x.excused, 0) or x.maintenance > 0)`;
}

/** A CTE: the records of each device in each hour. Each device is looked up on its own, because sorting all records takes longer. */
function countedRecords({ firstHour, lastHour }: HoursParameters, own: OwnRows | undefined): string {
  return `
counts as (
  select d.gpu_key, ${msOf("c.hour")} as hour_ms, c.received
  from devices d cross join lateral (
    select hour, sum(received)::float8 as received from (
      select ${bucketOf("1h", "t.time")} as hour, count(*) as received from ${telemetryOf(own)} t where t.gpu_key = d.gpu_key
        and ${withinHours("t.time", { firstHour, lastHour })} group by 1
      union all
      select ${bucketOf("1h", "b.from_at")}, ${own?.recordsOfBlock("b") ?? "b.records"} from blocks b where b.gpu_key = d.gpu_key
        and ${withinHours("b.from_at", { firstHour, lastHour })}) counted
    group by 1 having sum(received) > 0) c)`;
}

/** CTEs: what was due, expected, received and repeated of each device in each hour. */
const deviceHours = `
due_hours as (
  select gpu_key, hour_ms, coalesce(s.expected, l.expected) as due, coalesce(c.received, 0) as received,
    s.gpu_key is null as is_learned, s.source_id, s.signature, l.step_ms
  from signed s
  full join learned l using (gpu_key, hour_ms)
  full join counts c using (gpu_key, hour_ms)),
device_hours as (
  select u.*, due - least(due, coalesce(x.excused, 0)) as expected, least(due, coalesce(x.maintenance, 0)) as maintenance,
    coalesce(f.frozen, 0) as frozen
  from due_hours u left join excused x using (gpu_key, hour_ms) left join frozen_devices f using (gpu_key, hour_ms))`;

// the sources are joined by one text: by two columns, the planner compares every device with every source of the hour
function deviceParts(
  { groupBy }: CoverageFilter,
  devices: string,
  {
    hours: params,
    range,
    own,
  }: { readonly hours: HoursParameters; readonly range: LearnedRange; readonly own: OwnRows | undefined },
): string {
  const columns = groupColumns[groupBy as keyof typeof groupColumns].map((name) => `d.${name}`).join(", ");
  return `
with ${devices},
${sourceHours(sourcesOfDevices(own), params, own)},
${spanHours(params, own)},
${scheduledDevices},
${countedRecords(params, own)},
${learnedDevices(params, range, own)},
${deviceStates("select gpu_key from devices", own)},
${excusedDevices(params, own)},
${partialHours},
${frozenDevices(params, own)},${deviceHours},
summed as (
  select x.hour_ms, array[${columns}] collate "C" as names, x.source_id, x.is_learned, x.signature, count(*) as devices,
    case when bool_or(x.expected is null) then null else sum(x.expected) end as expected, sum(x.received) as received,
    sum(greatest(0, x.expected - x.received)) as missing, sum(x.maintenance) as maintenance,
    sum(x.frozen) as frozen, case when min(x.step_ms) = max(x.step_ms) then min(x.step_ms) end as step_ms
  from device_hours x join devices d using (gpu_key) where x.expected is distinct from 0 or x.received > 0 or x.maintenance > 0
  group by x.hour_ms, ${columns}, x.source_id, x.is_learned, x.signature),
seen_parts as (
  select u.hour_ms, u.names, u.devices, u.expected, u.received, coalesce(u.missing, 0) as missing, u.maintenance, false as is_declared,
    u.is_learned, coalesce(h.interval_ms, u.step_ms) as interval_ms, u.source_id, coalesce(f.pending, h.pending) as pending,
    coalesce(f.unlisted, h.unlisted) as unlisted, coalesce(f.unplaced, 0) as unplaced, h.late, u.frozen,
    ${frozenUnnamed(own)} as frozen_unnamed, h.quarantined,
    coalesce(f.missed, case when h.missed is not null then jsonb_build_array(h.missed) end) as missed
  from summed u
  left join source_hours h on h.source_id || h.hour_ms = u.source_id || u.hour_ms::int8
  left join signature_figures f on f.signature || f.hour_ms = u.signature || u.hour_ms::int8)`;
}

/** CTEs: the parts of the devices that were seen, and those of declared ones that were not. */
function allParts({ groupBy, gpus }: CoverageFilter, hours: HoursParameters, { conditions, own }: Bounded): string {
  const columns = groupColumns[groupBy as keyof typeof groupColumns].map((name) => `n.${name}`).join(", ");
  return `${neverSeen(gpus, { hours, params: conditions.params, own })},
parts as (
  select * from seen_parts
  union all
  select n.hour_ms, array[${columns}] collate "C", sum(n.gpus), case when bool_or(n.expected is null) then null else sum(n.expected) end,
    0, coalesce(sum(n.expected), 0), sum(n.maintenance), true, false,
    case when min(n.interval_ms) = max(n.interval_ms) then min(n.interval_ms) end, null, 0, 0, 0, 0, 0, 0, 0,
    jsonb_build_array(jsonb_build_object('never_seen', coalesce(sum(n.expected), 0)))
  from never_seen n where n.expected is distinct from 0 or n.maintenance > 0 group by n.hour_ms, ${columns})`;
}
