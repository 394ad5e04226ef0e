import { metrics } from "../../domain/metrics.ts";
import type { Run } from "../../domain/block/block.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { sentDoubles } from "./history-columns.ts";
import { hourMs } from "./hour-locks.ts";
import { type OccupantColumns, storedOccupants } from "./stored-occupants.ts";

/** Some GPUs' records of an hour. */
export interface HourOfGpus {
  readonly hour: number;
  readonly gpuKeys: readonly number[];
}

const within = `t.time >= to_timestamp($1::float8 / 1000.0) and t.time < to_timestamp(($1::float8 + ${hourMs}) / 1000.0)`;
const ofGpus = `from unnest($2::text::int8[]) as u(gpu_key) join telemetry t on t.gpu_key = u.gpu_key and ${within}`;
const parametersOf = ({ hour, gpuKeys }: HourOfGpus): unknown[] => [hour, numberArray(gpuKeys)];

/** The first hour from `fromMs` on that has records; undefined if none has. */
export async function nextHour(executor: SqlExecutor, fromMs: number): Promise<number | undefined> {
  const text = `
select floor(extract(epoch from min(time))::float8 * 1000 / ${hourMs}) * ${hourMs} as hour from telemetry
where time >= to_timestamp($1::float8 / 1000.0)`;
  const [row] = await executor.query<{ hour: number | null }>(text, [fromMs]);
  return row?.hour ?? undefined;
}

/** The next GPUs in the order of their keys that have records in the hour, each with the number of these records. */
export async function gpusOfHour(
  executor: SqlExecutor,
  { hour, afterKey, limit }: { readonly hour: number; readonly afterKey: number; readonly limit: number },
): Promise<{ readonly gpuKey: number; readonly records: number }[]> {
  const text = `
select g.gpu_key::float8 as "gpuKey", c.records::float8 as records
from gpus g cross join lateral (select count(*) as records from telemetry t where t.gpu_key = g.gpu_key and ${within}) c
where g.gpu_key > $2::text::int8 and c.records > 0 order by g.gpu_key limit $3::text::int`;
  return executor.query(text, [hour, String(afterKey), String(limit)]);
}

/** The columns of a GPU's records, in the order of their instants. */
export interface RowColumns {
  readonly gpuKey: number;
  readonly timesMs: Float64Array;
  readonly metrics: ReadonlyMap<string, Float64Array>;
}

/** Reads the instants of records, and their metrics that have values. */
export async function readColumns(executor: SqlExecutor, hourOfGpus: HourOfGpus): Promise<RowColumns[]> {
  const names = await metricsOf(executor, hourOfGpus);
  // the server joins the doubles of a column to one text of bytes: a third of the time that a row each takes
  const joined = names.map((name) => `string_agg(float8send(coalesce("${name}", 'NaN')), '') as "${name}"`);
  const text = `
select gpu_key::float8 as "gpuKey", ${["string_agg(float8send(extract(epoch from time)::float8 * 1000), '') as times", ...joined].join(", ")}
from (select t.* ${ofGpus} order by t.gpu_key, t.time) t group by gpu_key order by gpu_key`;
  const rows = await executor.query<{ gpuKey: number } & Record<string, unknown>>(text, parametersOf(hourOfGpus));
  return rows.map((row) => {
    const column = (name: string): Float64Array => sentDoubles(row[name] as Uint8Array);
    return {
      gpuKey: row.gpuKey,
      timesMs: column("times"),
      metrics: new Map(names.map((name) => [name, column(name)])),
    };
  });
}

async function metricsOf(executor: SqlExecutor, hourOfGpus: HourOfGpus): Promise<string[]> {
  const counts = metrics.map(({ name }) => `count(t."${name}") > 0 as "${name}"`).join(", ");
  const [row] = await executor.query<Record<string, boolean>>(`select ${counts} ${ofGpus}`, parametersOf(hourOfGpus));
  return metrics.map(({ name }) => name).filter((name) => row?.[name] === true);
}

/** A run of a GPU's records, without its length: it lasts until the next one. */
export interface RunStart extends Omit<Run, "records"> {
  readonly gpuKey: number;
  /** The place of its first record among those of the GPU, from 0. */
  readonly place: number;
}

interface RunRow extends OccupantColumns {
  readonly gpuKey: number;
  readonly place: number;
  readonly attributesId: number | null;
}

/** Reads where runs begin, ordered by GPU and place. */
export async function readRunStarts(executor: SqlExecutor, hourOfGpus: HourOfGpus): Promise<RunStart[]> {
  const held = "t.attributes_id, t.container, t.pod, t.namespace, t.occupants";
  const text = `
select gpu_key::float8 as "gpuKey", place::float8 as place, attributes_id::float8 as "attributesId", container, pod, namespace, occupants
from (
  select t.gpu_key, row_number() over w - 1 as place, ${held}, (${held}) is distinct from lag((${held})) over w as is_start
  ${ofGpus} window w as (partition by t.gpu_key order by t.time)) r
where is_start or place = 0 order by gpu_key, place`;
  const rows = await executor.query<RunRow>(text, parametersOf(hourOfGpus));
  return rows.map(({ gpuKey, place, attributesId, ...row }) => ({
    gpuKey,
    place,
    attributesId,
    occupants: storedOccupants(row),
  }));
}

/** The other series of a record. */
export interface CustomOfRecord {
  readonly gpuKey: number;
  readonly place: number;
  readonly custom: Readonly<Record<string, number>>;
}

/** Reads the other series of the records that have any. */
export async function readCustom(executor: SqlExecutor, hourOfGpus: HourOfGpus): Promise<CustomOfRecord[]> {
  const text = `
select gpu_key::float8 as "gpuKey", place::float8 as place, custom
from (
  select t.gpu_key, row_number() over (partition by t.gpu_key order by t.time) - 1 as place, t.custom ${ofGpus}) r
where custom is not null`;
  return executor.query<CustomOfRecord>(text, parametersOf(hourOfGpus));
}

/** Deletes the records. @returns their number */
export async function deleteRows(executor: SqlExecutor, hourOfGpus: HourOfGpus): Promise<number> {
  const text = `
with deleted as (
  delete from telemetry t using unnest($2::text::int8[]) as u(gpu_key) where t.gpu_key = u.gpu_key and ${within} returning 1)
select count(*)::float8 as count from deleted`;
  const [row] = await executor.query<{ count: number }>(text, parametersOf(hourOfGpus));
  return row?.count ?? 0;
}
