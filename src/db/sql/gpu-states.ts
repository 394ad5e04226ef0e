import type { Attributes, Workload } from "../../domain/gpu.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

// A GPU's attributes and workloads over time: what both tables have in common is written once.

/** Any number, the same for every process of this program. */
const changesLock = 7_165_201_385;

/** Announces a change: from here on, whoever reads gpu_revision sees that there is one.
 *  @returns the revision to note at what changes */
export async function beginChange(executor: SqlExecutor): Promise<number> {
  // the lock first: `awaitChanges` must not miss a change that is announced already
  await executor.query(`select pg_advisory_xact_lock_shared(${changesLock})`);
  const [row] = await executor.query<{ revision: number }>("select nextval('gpu_revision')::float8 as revision");
  return row?.revision ?? 0;
}

/** Waits until every announced change is committed or undone; none is announced until this transaction ends. */
export async function awaitChanges(executor: SqlExecutor): Promise<void> {
  await executor.query(`select pg_advisory_xact_lock(${changesLock})`);
}

/** Keeps everybody else from changing these GPUs. In the order of their keys, so that nobody waits in a ring. */
export async function lockGpus(executor: SqlExecutor, gpuKeys: readonly number[]): Promise<void> {
  // joined: `= any` of 5,000 keys takes 0.6 s while the planner knows nothing of a new table
  const text = `
select from gpus join unnest($1::text::int[]) as u(gpu_key) using (gpu_key) order by gpu_key for update of gpus`;
  await executor.query(text, [numberArray(gpuKeys)]);
}

/** What is kept over time, each in a table of its own. */
export type StateTable = "gpu_attributes" | "gpu_workloads";

const columnsOf = {
  gpu_attributes: {
    clusterId: ["cluster_id", "text"],
    hostname: ["hostname", "text"],
    gpuId: ["gpu_id", "int"],
    device: ["device", "text"],
    modelName: ["model_name", "text"],
    driverVersion: ["driver_version", "text"],
    properties: ["properties", "jsonb"],
  },
  gpu_workloads: { container: ["container", "text"], pod: ["pod", "text"], namespace: ["namespace", "text"] },
} as const;

/** What each table keeps. */
export interface StateOf {
  readonly gpu_attributes: Attributes;
  readonly gpu_workloads: Workload;
}

/** A state of one GPU, from an instant on (milliseconds since the epoch). */
export interface StateRow<Table extends StateTable> {
  readonly gpuKey: number;
  readonly fromMs: number;
  readonly state: StateOf[Table];
}

/** GPUs with the span of time in question, milliseconds since the epoch. */
export interface GpuSpans {
  readonly gpuKeys: readonly number[];
  readonly firstMs: readonly number[];
  readonly lastMs: readonly number[];
}

/** Reads, of each GPU, the last state that begins before its span, those that begin within it, and the next one after it;
 *  ordered by GPU and instant. */
export async function readStates<Table extends StateTable>(
  executor: SqlExecutor,
  table: Table,
  { gpuKeys, firstMs, lastMs }: GpuSpans,
): Promise<StateRow<Table>[]> {
  const columns = Object.entries(columnsOf[table]).map(([name, [column]]) => `s.${column} as "${name}"`);
  const part = (condition: string): string => `(select * from ${table} where gpu_key = k.gpu_key and ${condition})`;
  const text = `
with k as (
  select gpu_key, to_timestamp(first_ms / 1000.0) as first_at, to_timestamp(last_ms / 1000.0) as last_at
  from unnest($1::text::int[], $2::text::float8[], $3::text::float8[]) as u(gpu_key, first_ms, last_ms)
)
select s.gpu_key as "gpuKey", extract(epoch from s.valid_from)::float8 * 1000 as "fromMs", ${columns.join(", ")}
from k cross join lateral (
  ${part("valid_from < k.first_at order by valid_from desc limit 1")}
  union all ${part("valid_from >= k.first_at and valid_from <= k.last_at")}
  union all ${part("valid_from > k.last_at order by valid_from limit 1")}
) s order by s.gpu_key, s.valid_from`;
  const params = [numberArray(gpuKeys), numberArray(firstMs), numberArray(lastMs)];
  const rows = await executor.query<{ gpuKey: number; fromMs: number } & StateOf[Table]>(text, params);
  return rows.map(({ gpuKey, fromMs, ...state }) => ({
    gpuKey,
    fromMs: Math.round(fromMs),
    state: state as unknown as StateOf[Table],
  }));
}

/** Writes states, each over the one that begins at the same instant. */
export async function writeStates<Table extends StateTable>(
  executor: SqlExecutor,
  table: Table,
  rows: readonly StateRow<Table>[],
): Promise<void> {
  if (rows.length === 0) return;
  const { columns, names, arrays } = columnTexts(table, 3);
  const text = `
insert into ${table} (gpu_key, valid_from, ${names})
select gpu_key, to_timestamp(from_ms / 1000.0), ${columns.map(({ value }) => value).join(", ")}
from unnest($1::text::int[], $2::text::float8[], ${arrays}) as u(gpu_key, from_ms, ${names})
order by gpu_key, from_ms
on conflict (gpu_key, valid_from) do update set ${columns.map(({ name }) => `${name} = excluded.${name}`).join(", ")}`;
  await executor.query(text, [
    numberArray(rows.map(({ gpuKey }) => gpuKey)),
    numberArray(rows.map(({ fromMs }) => fromMs)),
    ...stateArrays(
      table,
      rows.map(({ state }) => state),
    ),
  ]);
}

/** Removes the states that begin at given instants. */
export async function removeStates(
  executor: SqlExecutor,
  table: StateTable,
  places: readonly { readonly gpuKey: number; readonly fromMs: number }[],
): Promise<void> {
  if (places.length === 0) return;
  const text = `
delete from ${table} s using unnest($1::text::int[], $2::text::float8[]) as u(gpu_key, from_ms)
where s.gpu_key = u.gpu_key and s.valid_from = to_timestamp(u.from_ms / 1000.0)`;
  await executor.query(text, [
    numberArray(places.map(({ gpuKey }) => gpuKey)),
    numberArray(places.map(({ fromMs }) => fromMs)),
  ]);
}

/** Puts the newest attributes into `gpus`; `noteSeen` notes the change there. */
export async function setNewestAttributes(
  executor: SqlExecutor,
  rows: readonly Omit<StateRow<"gpu_attributes">, "fromMs">[],
): Promise<void> {
  if (rows.length === 0) return;
  const { columns, names, arrays } = columnTexts("gpu_attributes", 2);
  const text = `
update gpus set ${columns.map(({ name, value }) => `${name} = ${value}`).join(", ")}
from unnest($1::text::int[], ${arrays}) as u(gpu_key, ${names})
where gpus.gpu_key = u.gpu_key`;
  const states = rows.map(({ state }) => state);
  await executor.query(text, [numberArray(rows.map(({ gpuKey }) => gpuKey)), ...stateArrays("gpu_attributes", states)]);
}

/** Notes the revision of a change at GPUs, and how far back and forth they were seen at least. */
export async function noteSeen(
  executor: SqlExecutor,
  revision: number,
  { gpuKeys, firstMs, lastMs }: GpuSpans,
): Promise<void> {
  const text = `
update gpus set revision = $1, first_seen_at = least(first_seen_at, to_timestamp(u.first_ms / 1000.0)),
  last_seen_at = greatest(last_seen_at, to_timestamp(u.last_ms / 1000.0))
from unnest($2::text::int[], $3::text::float8[], $4::text::float8[]) as u(gpu_key, first_ms, last_ms)
where gpus.gpu_key = u.gpu_key`;
  await executor.query(text, [revision, numberArray(gpuKeys), numberArray(firstMs), numberArray(lastMs)]);
}

/** Brings up to date how far GPUs were seen at least; no change that others need to know of. */
export async function touchGpus(
  executor: SqlExecutor,
  { gpuKeys, lastMs }: Pick<GpuSpans, "gpuKeys" | "lastMs">,
): Promise<void> {
  if (gpuKeys.length === 0) return;
  const text = `
with seen as (
  select gpu_key, to_timestamp(last_ms / 1000.0) as last_at
  from gpus join unnest($1::text::int[], $2::text::float8[]) as u(gpu_key, last_ms) using (gpu_key)
  order by gpu_key for update of gpus
)
update gpus set last_seen_at = greatest(last_seen_at, last_at) from seen where gpus.gpu_key = seen.gpu_key`;
  await executor.query(text, [numberArray(gpuKeys), numberArray(lastMs)]);
}

/** A table's columns, and their values as arrays: parameters from a number on, unnested as `u`. */
function columnTexts(table: StateTable, firstParam: number) {
  const columns = Object.values<readonly [string, string]>(columnsOf[table]);
  const arrays = columns.map(([, type], index) => `$${index + firstParam}::text::${type === "int" ? "int" : "text"}[]`);
  return {
    columns: columns.map(([name, type]) => ({ name, value: `u.${name}::${type}` })),
    names: columns.map(([name]) => name).join(", "),
    arrays: arrays.join(", "),
  };
}

function stateArrays<Table extends StateTable>(table: Table, states: readonly StateOf[Table][]): string[] {
  return Object.entries(columnsOf[table]).map(([name, [, type]]) => {
    const values = states.map((state): unknown => (state as unknown as Record<string, unknown>)[name]);
    if (type === "int") return numberArray(values as number[]);
    return textArray(values.map((value) => (type === "jsonb" ? JSON.stringify(value) : String(value))));
  });
}
