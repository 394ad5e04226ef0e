import type { AggregateFilter, Grouping } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { deviceStates } from "./device-states.ts";
import { addAttributeConditions } from "./gpu-conditions.ts";
import { msOf, sourcesOfDevices, sourceSpans } from "./source-hours.ts";

/** Devices of a group of which records were due at the same instants: at `k * intervalMs + phaseMs`, from `fromMs` up to `toMs`, which
 *  is not included. */
export interface ScheduledDevices {
  readonly group: readonly string[];
  readonly devices: number;
  /** Null for devices that no schedule covers; what was expected of their group is not known. */
  readonly intervalMs: number | null;
  readonly phaseMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The columns of `gpus` that identify a group. Of namespaces, nothing is expected: what is missing has no workload. */
const groupColumns: Readonly<Record<Exclude<Grouping, "namespace">, readonly string[]>> = {
  cluster: ["cluster_id"],
  host: ["cluster_id", "hostname"],
  gpu: ["uuid"],
  model: ["model_name"],
};

/** The schedules of the devices that an aggregate is of, by their present attributes. */
export async function selectExpected(
  executor: SqlExecutor,
  { groupBy, gpus, range }: AggregateFilter,
): Promise<readonly ScheduledDevices[]> {
  if (groupBy === "namespace") return [];
  const selected = addAttributeConditions(new Conditions(), gpus, {
    key: "g.gpu_key",
    attribute: (column) => `g.${column}`,
  });
  const [from, to] = [selected.param(range.fromMs), selected.param(range.toMs)];
  const text = `
with devices as materialized (
  select g.gpu_key, to_jsonb(array[${groupColumns[groupBy].map((name) => `g.${name}`).join(", ")}]) as names,
    ${msOf("g.first_seen_at")} as first_ms, ${msOf("g.last_seen_at + interval '10 minutes'")} as last_ms
  from gpus g ${selected.after("where")}),
${sourceSpans(sourcesOfDevices, msOf("now()"))},
${deviceStates("select gpu_key from devices")},
scheduled as (
  select d.names, s.interval_ms, s.last_ms - floor(s.last_ms / s.interval_ms) * s.interval_ms as phase_ms,
    greatest(p.first_ms, s.first_hour_ms, ${from}::float8, ${msOf("lower(part)")}) as from_ms,
    least(p.until_ms, s.cutoff_ms, 1e15, ${msOf("upper(part)")}) as to_ms
  from spans p join devices d using (gpu_key) join sources s using (source_id) left join device_states o using (gpu_key)
  cross join lateral unnest(tstzmultirange(tstzrange(null, null)) - coalesce(o.gone + o.maintained, '{}')) as part
  where greatest(p.first_ms, s.first_hour_ms) < ${to}::float8 and p.until_ms > ${from}::float8)
select names as "group", count(*)::float8 as devices, interval_ms as "intervalMs", phase_ms as "phaseMs", from_ms as "fromMs",
  to_ms as "toMs"
from (
  select * from scheduled where from_ms < to_ms
  union all
  select d.names, null, 0, d.first_ms, d.last_ms from devices d
  where d.first_ms < ${to}::float8 and d.last_ms >= ${from}::float8 and not exists (select from spans p where p.gpu_key = d.gpu_key)) x
group by names, interval_ms, phase_ms, from_ms, to_ms`;
  return executor.query<ScheduledDevices>(text, selected.params);
}
