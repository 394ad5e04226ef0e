import type { Attributes } from "../../domain/gpu.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import {
  attributeColumns,
  type ColumnList,
  occupantsColumns,
  type OccupantsState,
  type Report,
  reportColumns,
} from "../gpu-columns.ts";
import { numberArray } from "./array-literal.ts";

// Statements for the states of GPUs over time (their attributes, workloads and reports), and for the rows of `gpus`.

/** The key of the lock for changes: an arbitrary number, the same for every process of this program. */
const changesLock = 7_165_201_385;

/** Announces a change: a process that reads gpu_revision after this call notices that a change was announced.
 *  @returns the revision for the rows of `gpus` that change */
export async function beginChange(transaction: SqlTransaction): Promise<number> {
  // the lock comes first: `awaitChanges` must not miss a change that is already announced
  transaction.send(`select pg_advisory_xact_lock_shared(${changesLock})`);
  const [row] = await transaction.query<{ revision: number }>("select nextval('gpu_revision')::float8 as revision");
  return row?.revision ?? 0;
}

/** Waits until every change that is announced already is committed or undone. Call it outside a transaction: while it holds its
 *  lock, no change can be announced. */
export async function awaitChanges(executor: SqlExecutor): Promise<void> {
  await executor.query(`select pg_advisory_xact_lock(${changesLock})`);
}

/** Locks the rows of these GPUs against other changes, in the order of their keys to avoid deadlocks. */
export function lockGpus(transaction: SqlTransaction, gpuKeys: readonly number[]): void {
  // a join: `= any` of 5,000 keys takes 0.6 s while the planner has no statistics on a new table
  const text = `
select from gpus join unnest($1::text::int8[]) as u(gpu_key) using (gpu_key) order by gpu_key for update of gpus`;
  transaction.send(text, [numberArray(gpuKeys)]);
}

/** The tables with states over time. */
export type StateTable = "gpu_attributes" | "gpu_reports" | "gpu_workloads";

/** The type of a state in each table. */
export interface StateOf {
  readonly gpu_attributes: Attributes;
  readonly gpu_reports: Report;
  readonly gpu_workloads: OccupantsState;
}

const columnsOf: { readonly [Table in StateTable]: ColumnList<StateOf[Table]> } = {
  gpu_attributes: attributeColumns,
  gpu_reports: reportColumns,
  gpu_workloads: occupantsColumns,
};

/** A state of one GPU, and the instant at which it begins (milliseconds since the epoch). */
export interface StateRow<Table extends StateTable> {
  readonly gpuKey: number;
  readonly fromMs: number;
  readonly state: StateOf[Table];
}

/** GPUs, each with a span of time (milliseconds since the epoch, both ends included), in columns of the same length. */
export interface GpuSpans {
  readonly gpuKeys: readonly number[];
  readonly firstMs: readonly number[];
  readonly lastMs: readonly number[];
}

/** Reads for each GPU the last state that begins before its span, the states that begin within the span, and the first state
 *  that begins after the span; ordered by GPU and instant. */
export async function readStates<Table extends StateTable>(
  executor: SqlExecutor,
  table: Table,
  { gpuKeys, firstMs, lastMs }: GpuSpans,
): Promise<StateRow<Table>[]> {
  const columns = columnsOf[table];
  const part = (condition: string): string => `(select * from ${table} where gpu_key = k.gpu_key and ${condition})`;
  const text = `
with k as (
  select gpu_key, to_timestamp(first_ms / 1000.0) as first_at, to_timestamp(last_ms / 1000.0) as last_at
  from unnest($1::text::int8[], $2::text::float8[], $3::text::float8[]) as u(gpu_key, first_ms, last_ms)
)
select s.gpu_key::float8 as "gpuKey", extract(epoch from s.valid_from)::float8 * 1000 as "fromMs",
  ${columns.selected("s")}
from k cross join lateral (
  ${part("valid_from < k.first_at order by valid_from desc limit 1")}
  union all ${part("valid_from >= k.first_at and valid_from <= k.last_at")}
  union all ${part("valid_from > k.last_at order by valid_from limit 1")}
) s order by s.gpu_key, s.valid_from`;
  const params = [numberArray(gpuKeys), numberArray(firstMs), numberArray(lastMs)];
  const rows = await executor.query<{ gpuKey: number; fromMs: number } & StateOf[Table]>(text, params);
  return rows.map((row) => ({ gpuKey: row.gpuKey, fromMs: Math.round(row.fromMs), state: columns.pick(row) }));
}

/** Writes states. Each state replaces the stored state of its GPU that begins at the same instant. */
export function writeStates<Table extends StateTable>(
  transaction: SqlTransaction,
  table: Table,
  rows: readonly StateRow<Table>[],
): void {
  if (rows.length === 0) return;
  const columns = columnsOf[table];
  const text = `
insert into ${table} (gpu_key, valid_from, ${columns.names()})
select gpu_key, to_timestamp(from_ms / 1000.0), ${columns.unnested("u")}
from unnest($1::text::int8[], $2::text::float8[], ${columns.parameters(3)}) as u(gpu_key, from_ms, ${columns.names()})
order by gpu_key, from_ms
on conflict (gpu_key, valid_from) do update set ${columns.assignments("excluded")}`;
  transaction.send(text, [
    numberArray(rows.map(({ gpuKey }) => gpuKey)),
    numberArray(rows.map(({ fromMs }) => fromMs)),
    ...columns.arrays(rows.map(({ state }) => state)),
  ]);
}

/** Deletes the states of the given GPUs that begin at the given instants. */
export function removeStates(
  transaction: SqlTransaction,
  table: StateTable,
  places: readonly { readonly gpuKey: number; readonly fromMs: number }[],
): void {
  if (places.length === 0) return;
  const text = `
delete from ${table} s using unnest($1::text::int8[], $2::text::float8[]) as u(gpu_key, from_ms)
where s.gpu_key = u.gpu_key and s.valid_from = to_timestamp(u.from_ms / 1000.0)`;
  transaction.send(text, [
    numberArray(places.map(({ gpuKey }) => gpuKey)),
    numberArray(places.map(({ fromMs }) => fromMs)),
  ]);
}

/** Writes the newest attributes into `gpus`, but not the revision of the change, which `recordSeen` writes. */
export function setNewestAttributes(
  transaction: SqlTransaction,
  rows: readonly Omit<StateRow<"gpu_attributes">, "fromMs">[],
): void {
  if (rows.length === 0) return;
  const text = `
update gpus set ${attributeColumns.assignments("u")}
from unnest($1::text::int8[], ${attributeColumns.parameters(2)}) as u(gpu_key, ${attributeColumns.names()})
where gpus.gpu_key = u.gpu_key`;
  const states = rows.map(({ state }) => state);
  transaction.send(text, [numberArray(rows.map(({ gpuKey }) => gpuKey)), ...attributeColumns.arrays(states)]);
}

/** Writes a change's revision into `gpus`, and extends the span from first_seen_at to last_seen_at so that it includes the
 *  given span. */
export function recordSeen(
  transaction: SqlTransaction,
  revision: number,
  { gpuKeys, firstMs, lastMs }: GpuSpans,
): void {
  if (gpuKeys.length === 0) return;
  const text = `
update gpus set revision = $1, first_seen_at = least(first_seen_at, to_timestamp(u.first_ms / 1000.0)),
  last_seen_at = greatest(last_seen_at, to_timestamp(u.last_ms / 1000.0))
from unnest($2::text::int8[], $3::text::float8[], $4::text::float8[]) as u(gpu_key, first_ms, last_ms)
where gpus.gpu_key = u.gpu_key`;
  transaction.send(text, [revision, numberArray(gpuKeys), numberArray(firstMs), numberArray(lastMs)]);
}

/** Updates `last_seen_at` without a new revision, because other processes need not read this change. */
export async function updateLastSeen(
  executor: SqlExecutor,
  { gpuKeys, lastMs }: Pick<GpuSpans, "gpuKeys" | "lastMs">,
): Promise<void> {
  if (gpuKeys.length === 0) return;
  const text = `
with seen as (
  select gpu_key, to_timestamp(last_ms / 1000.0) as last_at
  from gpus join unnest($1::text::int8[], $2::text::float8[]) as u(gpu_key, last_ms) using (gpu_key)
  order by gpu_key for update of gpus
)
update gpus set last_seen_at = greatest(last_seen_at, last_at) from seen where gpus.gpu_key = seen.gpu_key`;
  await executor.query(text, [numberArray(gpuKeys), numberArray(lastMs)]);
}
