import { metricNames } from "../../domain/metrics.ts";
import type { Run } from "../../domain/block/block.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { sentDoubles } from "./history-columns.ts";
import { type OccupantColumns, storedOccupants } from "./stored-occupants.ts";

/** Some GPUs' records within a span of time, milliseconds since the epoch. */
export interface SpanOfGpus {
  readonly gpuKeys: readonly number[];
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
}

/** Some GPUs' records of an hour. */
export function hourOfGpus(hour: number, gpuKeys: readonly number[]): SpanOfGpus {
  return { gpuKeys, fromMs: hour, toMs: hour + hourMs };
}

const within = `t.time >= to_timestamp($1::float8 / 1000.0) and t.time < to_timestamp($2::float8 / 1000.0)`;
const ofGpus = `from unnest($3::text::int8[]) as u(gpu_key) join telemetry t on t.gpu_key = u.gpu_key and ${within}`;
const parametersOf = ({ fromMs, toMs, gpuKeys }: SpanOfGpus): unknown[] => [fromMs, toMs, numberArray(gpuKeys)];

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
where g.gpu_key > $3::text::int8 and c.records > 0 order by g.gpu_key limit $4::text::int`;
  return executor.query(text, [hour, hour + hourMs, String(afterKey), String(limit)]);
}

/** The columns of a GPU's records, in the order of their instants. */
export interface RowColumns {
  readonly gpuKey: number;
  readonly timesMs: Float64Array;
  readonly metrics: ReadonlyMap<string, Float64Array>;
}

/** Reads the instants of records, and their metrics that have values. */
export async function readColumns(
  executor: SqlExecutor,
  span: SpanOfGpus,
): Promise<{ readonly columns: RowColumns[]; readonly hasCustom: boolean }> {
  const { names, hasCustom } = await seriesOf(executor, span);
  // the server joins the doubles of a column to one text of bytes: a third of the time that a row each takes
  const joined = names.map((name) => `string_agg(float8send(coalesce("${name}", 'NaN')), '') as "${name}"`);
  const text = `
select gpu_key::float8 as "gpuKey", ${["string_agg(float8send(extract(epoch from time)::float8 * 1000), '') as times", ...joined].join(", ")}
from (select ${["t.gpu_key", "t.time", ...names.map((name) => `t."${name}"`)].join(", ")} ${ofGpus} order by t.gpu_key, t.time) t
group by gpu_key order by gpu_key`;
  const rows = await executor.query<{ gpuKey: number } & Record<string, unknown>>(text, parametersOf(span));
  const columns = rows.map((row) => {
    const column = (name: string): Float64Array => sentDoubles(row[name] as Uint8Array);
    return {
      gpuKey: row.gpuKey,
      timesMs: column("times"),
      metrics: new Map(names.map((name) => [name, column(name)])),
    };
  });
  return { columns, hasCustom };
}

/** The metrics of which the records have values, and whether any record has other series. */
async function seriesOf(
  executor: SqlExecutor,
  span: SpanOfGpus,
): Promise<{ readonly names: string[]; readonly hasCustom: boolean }> {
  const has = ["custom", ...metricNames].map((name) => `count(t."${name}") > 0 as "${name}"`);
  const [row] = await executor.query<Record<string, boolean>>(`select ${has.join(", ")} ${ofGpus}`, parametersOf(span));
  const names = metricNames.filter((name) => row?.[name] === true);
  return { names, hasCustom: row?.["custom"] === true };
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
export async function readRunStarts(executor: SqlExecutor, span: SpanOfGpus): Promise<RunStart[]> {
  const held = "t.attributes_id, t.container, t.pod, t.namespace, t.occupants";
  const text = `
select gpu_key::float8 as "gpuKey", place::float8 as place, attributes_id::float8 as "attributesId", container, pod, namespace, occupants
from (
  select t.gpu_key, row_number() over w - 1 as place, ${held}, (${held}) is distinct from lag((${held})) over w as is_start
  ${ofGpus} window w as (partition by t.gpu_key order by t.time)) r
where is_start or place = 0 order by gpu_key, place`;
  const rows = await executor.query<RunRow>(text, parametersOf(span));
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
export async function readCustom(executor: SqlExecutor, span: SpanOfGpus): Promise<CustomOfRecord[]> {
  const text = `
select gpu_key::float8 as "gpuKey", place::float8 as place, custom
from (
  select t.gpu_key, row_number() over (partition by t.gpu_key order by t.time) - 1 as place, t.custom ${ofGpus}) r
where custom is not null`;
  return executor.query<CustomOfRecord>(text, parametersOf(span));
}

/** A mark of what the database has: `areUnchanged` knows what is newer. */
export async function markOf(executor: SqlExecutor): Promise<string> {
  // the 32 bits of it that rows have
  const text = "select (pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296)::text as mark";
  const [row] = await executor.query<{ mark: string }>(text);
  if (row === undefined) throw new Error("the database gives no mark");
  return row.mark;
}

/** Tells whether the records are those that were read: as many, and none was added or merged since the mark. A transaction that was under
 *  way then counts as later. The hour must be locked. */
export async function areUnchanged(
  executor: SqlExecutor,
  span: SpanOfGpus,
  { mark, records }: { readonly mark: string; readonly records: number },
): Promise<boolean> {
  const text = `
select count(*) = $4::text::int8 and coalesce(bool_and(age(t.xmin) > age($5::text::xid)), true) as unchanged ${ofGpus}`;
  const params = [...parametersOf(span), String(records), mark];
  const [row] = await executor.query<{ unchanged: boolean }>(text, params);
  return row?.unchanged === true;
}

/** Deletes the records. @returns their number */
export async function deleteRows(executor: SqlExecutor, span: SpanOfGpus): Promise<number> {
  const text = `
with deleted as (
  delete from telemetry t using unnest($3::text::int8[]) as u(gpu_key) where t.gpu_key = u.gpu_key and ${within} returning 1)
select count(*)::float8 as count from deleted`;
  const [row] = await executor.query<{ count: number }>(text, parametersOf(span));
  return row?.count ?? 0;
}
