import { metricNames } from "../../domain/metrics.ts";
import type { Run } from "../../domain/block/block.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { withinRange } from "./hours-with-rows.ts";
import { readSentRows, type RowColumns, sentColumns, sentRows } from "./sent-rows.ts";
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

const within = withinRange("t.time");
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

/** The metrics that records are expected to have. */
export interface RowsLayout {
  /** In the order of the catalogue. */
  readonly names: readonly string[];
  /** Those of them that some records of a GPU have, and others lack. */
  readonly sparseNames: readonly string[];
}

/** Looks which metrics records have. */
export async function readLayout(executor: SqlExecutor, span: SpanOfGpus): Promise<RowsLayout> {
  const kind = (count: string): string => `case when ${count} = 0 then 0 when ${count} = t.records then 1 else 2 end`;
  const text = `
select ${metricNames.map((name) => `max(${kind(`t."${name}"`)}) as "${name}"`).join(", ")}
${ofEachGpu("$3", `select count(*) as records, ${metricNames.map((name) => `count("${name}") as "${name}"`).join(", ")} ${rowsOfGpu}`)}`;
  const [row] = await executor.query<Readonly<Record<string, number | null>>>(text, parametersOf(span));
  const having = (least: number): string[] => metricNames.filter((name) => (row?.[name] ?? 0) >= least);
  return { names: having(1), sparseNames: having(2) };
}

/** A layout for the records of both. */
export function joinLayouts(a: RowsLayout, b: RowsLayout): RowsLayout {
  const either = (of: (layout: RowsLayout) => readonly string[]): string[] => {
    const names = new Set([...of(a), ...of(b)]);
    return metricNames.filter((name) => names.has(name));
  };
  return { names: either(({ names }) => names), sparseNames: either(({ sparseNames }) => sparseNames) };
}

/** What a record says of who holds its GPU. */
interface HeldRow extends OccupantColumns {
  readonly attributesId: number | null;
}

const heldColumns = ["attributes_id", "container", "pod", "namespace", "occupants"];
const selectedHeld = (row: string): string =>
  `${row}.attributes_id::float8 as "attributesId", ${row}.container, ${row}.pod, ${row}.namespace, ${row}.occupants`;

/** What a run's records have in common. */
export type RunState = Omit<Run, "records">;

const stateOf = ({ attributesId, ...row }: HeldRow): RunState => ({ attributesId, occupants: storedOccupants(row) });

/** The records of a GPU, with what is read in passing. */
export interface RecordsOfGpu extends RowColumns {
  /** What its first record says. */
  readonly first: RunState;
  /** True: all records say the same. */
  readonly isSteady: boolean;
  /** True: some record has other series. */
  readonly hasCustom: boolean;
}

interface RecordsRow extends HeldRow {
  readonly gpuKey: number;
  readonly isExpected: boolean;
  readonly isSteady: boolean;
  readonly hasCustom: boolean;
}

/** Lets the next statements of the transaction find rows by their keys, in the order of time, without a sort. */
export function planByKeys(transaction: SqlTransaction): void {
  // a plan for any span would look into every chunk
  transaction.send(`
select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_bitmapscan', 'off', true),
  set_config('enable_sort', 'off', true)`);
}

/** Reads records, in the order of GPUs.
 *  @returns undefined if some record has another metric, or lacks one that is not sparse */
export async function readRecords(
  executor: SqlExecutor,
  span: SpanOfGpus,
  { names, sparseNames }: RowsLayout,
): Promise<RecordsOfGpu[] | undefined> {
  const known = new Set(names);
  const others = metricNames.filter((name) => !known.has(name)).map((name) => `t."${name}"`);
  const held = heldColumns.map((name) => `t.${name}`).join(", ");
  // all that is asked of each row is computed here: a hypertable copies each column of a subquery
  const row = [
    sentColumns("t", names, sparseNames),
    `${others.length === 0 ? "null" : `coalesce(${others.join(", ")})`} as other`,
    `${heldColumns.map((name) => `t.${name} is not distinct from f.${name}`).join(" and ")} as is_steady`,
    "t.custom",
  ].join(", ");
  const read = [
    sentRows(names, sparseNames),
    `count(other) = 0 as "isExpected"`,
    `bool_and(is_steady) as "isSteady"`,
    `count(custom) > 0 as "hasCustom"`,
  ].join(", ");
  // `offset 0`: the GPU's records are read one by one in their order, and not those of all GPUs
  const text = `
select u.gpu_key::float8 as "gpuKey", ${selectedHeld("f")}, t.*
from unnest($3::text::int8[]) as u(gpu_key)
cross join lateral (select ${held} ${rowsOfGpu} order by t.time limit 1 offset 0) f
cross join lateral (select ${read} from (select ${row} ${rowsOfGpu} order by t.time) t offset 0) t`;
  const rows = await executor.query<RecordsRow & Readonly<Record<string, unknown>>>(text, parametersOf(span));
  const records = rows.map((row): RecordsOfGpu | undefined => {
    const columns = row.isExpected ? readSentRows(row, names, sparseNames) : undefined;
    return columns && { ...columns, first: stateOf(row), isSteady: row.isSteady, hasCustom: row.hasCustom };
  });
  const expected = records.filter((ofGpu) => ofGpu !== undefined);
  return expected.length < rows.length ? undefined : expected.sort((a, b) => a.gpuKey - b.gpuKey);
}

/** A run of a GPU's records, without its length: it lasts until the next one. */
export interface RunStart extends RunState {
  readonly gpuKey: number;
  /** The place of its first record among those of the GPU, from 0. */
  readonly place: number;
}

/** Reads where runs begin, ordered by GPU and place. */
export async function readRunStarts(executor: SqlExecutor, span: SpanOfGpus): Promise<RunStart[]> {
  const isStart = heldColumns.map((name) => `t.${name} is distinct from lag(t.${name}) over w`).join(" or ");
  const starts = `
  select row_number() over w - 1 as place, ${heldColumns.map((name) => `t.${name}`).join(", ")}, ${isStart} as is_start
  ${rowsOfGpu} window w as (order by t.time)`;
  const text = `
select u.gpu_key::float8 as "gpuKey", t.place::float8 as place, ${selectedHeld("t")}
${ofEachGpu("$3", starts)} where t.is_start or t.place = 0 order by u.gpu_key, t.place`;
  const rows = await executor.query<HeldRow & Pick<RunStart, "gpuKey" | "place">>(text, parametersOf(span));
  return rows.map(({ gpuKey, place, ...row }) => ({ gpuKey, place, ...stateOf(row) }));
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
export function deleteRows(transaction: SqlTransaction, span: SpanOfGpus): Promise<number> {
  // By their places: for a table without statistics, a join may be planned that compares all rows of the span with each key. Another chunk
  // may have other rows at these places: `is true` makes the server look each key up, and not join.
  const text = `
delete from telemetry t
where t.ctid = any(array(select t.ctid ${ofEachGpu("$3", `select t.ctid ${rowsOfGpu}`)}))
  and (t.gpu_key in (select unnest($3::text::int8[]))) is true and ${within}`;
  return transaction.change(text, parametersOf(span));
}

/** The number of a GPU's records of an hour in rows. */
export async function countRows(executor: SqlExecutor, gpuKey: number, hour: number): Promise<number> {
  const text = `select count(*)::float8 as count from telemetry t where t.gpu_key = $3::text::int8 and ${within}`;
  const [row] = await executor.query<{ count: number }>(text, [hour, hour + hourMs, String(gpuKey)]);
  return row?.count ?? 0;
}
