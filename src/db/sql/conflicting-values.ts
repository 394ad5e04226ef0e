import { metricIndexOf } from "../../domain/metrics.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

// A conflict is a value that differs from the greatest value of its series and record. Each is a row, so that it counts once, in
// whatever messages and in whatever order the values come.

/** A series of a record. */
export interface SeriesPlace {
  readonly gpuKey: number;
  readonly timeMs: number;
  /** The name of a metric or of a series. Absent: all series of the record. */
  readonly series?: string;
}

/** A value that is not the greatest of its series and record. */
export interface ConflictingValue extends Required<SeriesPlace> {
  readonly value: number;
}

// the plain value of a metric with labelled series follows from them, so another plain value is no conflict
const addText = `
with added as (
  insert into conflicting_values (gpu_key, time, series, value)
  select distinct u.gpu_key, to_timestamp(u.time_ms / 1000.0), u.series, u.value
  from unnest($1::text::int8[], $2::text::float8[], $3::text::text[], $4::text::text[], $5::text::float8[])
    as u(gpu_key, time_ms, series, labelled, value)
  where u.labelled = '' or not exists (
    select from telemetry t cross join jsonb_object_keys(t.custom) as k(name)
    where t.gpu_key = u.gpu_key and t.time = to_timestamp(u.time_ms / 1000.0) and starts_with(k.name, u.labelled))
  order by 1, 2, 3, 4
  on conflict do nothing
  returning 1
)
select count(*)::int as count from added`;

/** Adds conflicts, after the records are written. @returns the number of conflicts that were not known yet */
export async function addConflicts(executor: SqlExecutor, values: readonly ConflictingValue[]): Promise<number> {
  if (values.length === 0) return 0;
  const [added] = await executor.query<{ count: number }>(addText, [
    numberArray(values.map(({ gpuKey }) => gpuKey)),
    numberArray(values.map(({ timeMs }) => timeMs)),
    textArray(values.map(({ series }) => series)),
    textArray(values.map(({ series }) => (metricIndexOf(series) === undefined ? "" : `${series}{`))),
    numberArray(values.map(({ value }) => value)),
  ]);
  return added?.count ?? 0;
}

const removeText = `
with removed as (
  delete from conflicting_values c
  using unnest($1::text::int8[], $2::text::float8[], $3::text::text[]) as u(gpu_key, time_ms, series)
  where c.gpu_key = u.gpu_key and c.time = to_timestamp(u.time_ms / 1000.0) and (u.series is null or c.series = u.series)
  returning 1
)
select count(*)::int as count from removed`;

/** Removes the conflicts of some series. @returns their number */
export async function removeConflicts(executor: SqlExecutor, places: readonly SeriesPlace[]): Promise<number> {
  if (places.length === 0) return 0;
  const [removed] = await executor.query<{ count: number }>(removeText, [
    numberArray(places.map(({ gpuKey }) => gpuKey)),
    numberArray(places.map(({ timeMs }) => timeMs)),
    textArray(places.map(({ series }) => series)),
  ]);
  return removed?.count ?? 0;
}
