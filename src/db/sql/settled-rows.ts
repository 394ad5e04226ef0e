import { metricNames } from "../../domain/metrics.ts";
import type { Run } from "../../domain/block/block.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { readSentRows, type RowColumns, sentRows } from "./sent-rows.ts";
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
const rowsOfGpu = `from telemetry t where t.gpu_key = u.gpu_key and ${within}`;
/** A query for each GPU. With a plain join, the server may read the rows of all GPUs in the span to find those of some.
 *  @param keys an expression: an array, as a text */
const ofEachGpu = (keys: string, query: string): string =>
  `from unnest(${keys}::text::int8[]) as u(gpu_key) cross join lateral (${query} offset 0) t`;
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

/** What there is to read of records. */
export interface RowsOverview {
  /** The metrics of which any record has a value. */
  readonly names: readonly string[];
  /** Those of them that not every record has. */
  readonly sparseNames: readonly string[];
  /** True: some record has other series. */
  readonly hasCustom: boolean;
  /** The GPUs whose records may not all report the same about them, or not have the same workloads. */
  readonly changingKeys: readonly number[];
}

const workloadColumns = ["container", "pod", "namespace"];
/** In the order of bytes: two texts that are equal in the order of a language may differ. */
const isSteady = [
  ...["attributes_id", ...workloadColumns.map((name) => `${name} collate "C"`)].map(
    (column) => `coalesce(min(${column}) = max(${column}), true)`,
  ),
  ...["attributes_id", ...workloadColumns].map((column) => `count(${column}) in (0, count(*))`),
  "count(occupants) = 0",
].join(" and ");

/** Looks what records have. */
export async function readOverview(executor: SqlExecutor, span: SpanOfGpus): Promise<RowsOverview> {
  const series = ["custom", ...metricNames];
  const text = `
select sum(t.records)::float8 as records, string_agg(u.gpu_key::text, ',') filter (where not t.is_steady) as changing,
  ${series.map((name) => `sum(t."${name}")::float8 as "${name}"`).join(", ")}
${ofEachGpu(
  "$3",
  `select count(*) as records, ${isSteady} as is_steady, ${series.map((name) => `count("${name}") as "${name}"`).join(", ")} ${rowsOfGpu}`,
)}`;
  const [row] = await executor.query<{ changing: string | null } & Record<string, unknown>>(text, parametersOf(span));
  const countOf = (name: string): number => Number(row?.[name] ?? 0);
  const names = metricNames.filter((name) => countOf(name) > 0);
  return {
    names,
    sparseNames: names.filter((name) => countOf(name) < countOf("records")),
    hasCustom: countOf("custom") > 0,
    changingKeys: row?.changing?.split(",").map(Number) ?? [],
  };
}

/** Reads the instants of records, and their metrics, in the order of GPUs. */
export async function readColumns(
  executor: SqlExecutor,
  span: SpanOfGpus,
  { names, sparseNames }: RowsOverview,
): Promise<RowColumns[]> {
  const columns = ["time", ...names].map((name) => `t."${name}"`).join(", ");
  const text = `
select u.gpu_key::float8 as "gpuKey", t.*
${ofEachGpu("$3", `select ${sentRows(names, sparseNames)} from (select ${columns} ${rowsOfGpu} order by t.time) t`)}
where t.times is not null order by u.gpu_key`;
  const rows = await executor.query<{ gpuKey: number } & Record<string, unknown>>(text, parametersOf(span));
  return rows.map((row) => readSentRows(row, names, sparseNames));
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
export async function readRunStarts(
  executor: SqlExecutor,
  span: SpanOfGpus,
  { changingKeys }: RowsOverview,
): Promise<RunStart[]> {
  const held = ["attributes_id", ...workloadColumns, "occupants"].map((name) => `t.${name}`).join(", ");
  const selected = `u.gpu_key::float8 as "gpuKey", t.place::float8 as place, t.attributes_id::float8 as "attributesId",
  t.container, t.pod, t.namespace, t.occupants`;
  const starts = `
  select row_number() over w - 1 as place, ${held}, (${held}) is distinct from lag((${held})) over w as is_start
  ${rowsOfGpu} window w as (order by t.time)`;
  const text = `
select ${selected} ${ofEachGpu("$3", starts)} where t.is_start or t.place = 0
union all
select ${selected} ${ofEachGpu("$4", `select 0 as place, ${held} ${rowsOfGpu} order by t.time limit 1`)}
order by "gpuKey", place`;
  const changing = new Set(changingKeys);
  const steadyKeys = span.gpuKeys.filter((key) => !changing.has(key));
  const rows = await executor.query<RunRow>(text, [
    ...parametersOf({ ...span, gpuKeys: changingKeys }),
    numberArray(steadyKeys),
  ]);
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
select u.gpu_key::float8 as "gpuKey", t.place::float8 as place, t.custom
${ofEachGpu("$3", `select row_number() over (order by t.time) - 1 as place, t.custom ${rowsOfGpu}`)}
where t.custom is not null order by u.gpu_key, t.place`;
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

/** Tells whether the records are those that were read: as many (if that is known), and none was added or merged since the mark. A
 *  transaction that was under way then counts as later. For the future, the hour must be locked. */
export async function areUnchanged(
  executor: SqlExecutor,
  span: SpanOfGpus,
  { mark, records }: { readonly mark: string; readonly records: number | undefined },
): Promise<boolean> {
  const text = `
select coalesce(count(*) = $4::text::int8, true) and coalesce(bool_and(age(t.added_by) > age($5::text::xid)), true) as unchanged
${ofEachGpu("$3", `select t.xmin as added_by ${rowsOfGpu}`)}`;
  const params = [...parametersOf(span), records === undefined ? null : String(records), mark];
  const [row] = await executor.query<{ unchanged: boolean }>(text, params);
  return row?.unchanged === true;
}

/** Deletes the records, whose hours must be locked. @returns their number */
export async function deleteRows(transaction: SqlTransaction, span: SpanOfGpus): Promise<number> {
  // a plan for any span would look into every chunk
  transaction.send("set local plan_cache_mode = force_custom_plan");
  // By their places: for a table without statistics, a join may be planned that compares all rows of the span with each key. Another chunk
  // may have other rows at these places. A cast of a text is evaluated for each row, an array(select) only once.
  const text = `
with deleted as (
  delete from telemetry t
  where t.ctid = any(array(select t.ctid ${ofEachGpu("$3", `select t.ctid ${rowsOfGpu}`)}))
    and t.gpu_key = any(array(select unnest($3::text::int8[]))) and ${within} returning 1)
select count(*)::float8 as count from deleted`;
  const [row] = await transaction.query<{ count: number }>(text, parametersOf(span));
  return row?.count ?? 0;
}

/** The number of a GPU's records of an hour in rows. */
export async function countRows(executor: SqlExecutor, gpuKey: number, hour: number): Promise<number> {
  const text = `select count(*)::float8 as count from telemetry t where t.gpu_key = $3::text::int8 and ${within}`;
  const [row] = await executor.query<{ count: number }>(text, [hour, hour + hourMs, String(gpuKey)]);
  return row?.count ?? 0;
}
