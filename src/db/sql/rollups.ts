import { metricNames } from "../../domain/metrics.ts";
import type { PackedRollup } from "../../domain/rollup/rollup.ts";
import { decodeNamedColumn } from "../../domain/block/named-part.ts";
import { decodeNumbers } from "../../domain/block/number-column.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { decodeNamed, nameOfRollups } from "../named-block.ts";
import { numberArray } from "./array-literal.ts";
import { CopyRows } from "./copy-rows.ts";
import { packedColumns } from "./packed-columns.ts";

/** A rollup of an hour, as it is stored. */
export interface StoredRollups extends PackedRollup {
  readonly hour: number;
  /** The least and the greatest key of its GPUs. */
  readonly firstKey: number;
  readonly lastKey: number;
}

const ownColumns = ["from_at", "first_key", "last_key", "entries", "keys", "holders", "holder_names", "records"];

/** Adds rollups. @throws Error if one of the same hour and first key exists */
export async function copyRollups(transaction: SqlTransaction, rollups: readonly StoredRollups[]): Promise<void> {
  if (rollups.length === 0) return;
  const columns = [...ownColumns, ...metricNames];
  const rows = new CopyRows(rollups.length * 65_536);
  for (const rollup of rollups) {
    rows.row(columns.length);
    rows.timestamptz(rollup.hour);
    rows.int8(rollup.firstKey);
    rows.int8(rollup.lastKey);
    rows.int4(rollup.entries);
    for (const column of [rollup.keys, rollup.holders]) rows.bytea(column);
    rows.text(Buffer.from(rollup.holderNames));
    rows.bytea(rollup.records);
    for (const name of metricNames) rows.bytea(rollup.metrics.get(name));
  }
  const isAdded = await transaction.copy(`rollups (${columns.map((name) => `"${name}"`).join(", ")})`, rows.end());
  if (!isAdded) throw new Error(`rollups of ${new Date(rollups[0]?.hour ?? NaN).toISOString()} exist already`);
}

type RollupRow = Omit<StoredRollups, "metrics"> & object;

/** The columns of rollups `r`. */
const selected = (names: readonly string[]): string => `
extract(epoch from r.from_at)::float8 * 1000 as hour, r.first_key::float8 as "firstKey", r.last_key::float8 as "lastKey", r.entries, r.keys,
  r.holders, r.holder_names::text as "holderNames", r.records${names.map((name) => `, r."${name}"`).join("")}`;

function toRollups(rows: readonly RollupRow[], names: readonly string[]): StoredRollups[] {
  return rows.map((row) => ({ ...row, metrics: packedColumns(row, names) }));
}

/** The size of a rollup of an hour. */
interface RollupSize {
  readonly firstKey: number;
  readonly entries: number;
}

/** Reads the sizes of the last rollups of an hour whose GPUs have smaller keys than one, the nearest first.
 *  @param limit their maximum number */
export function selectRollupsBefore(
  transaction: SqlTransaction,
  { hour, gpuKey, limit }: { readonly hour: number; readonly gpuKey: number; readonly limit: number },
): Promise<RollupSize[]> {
  const text = `
select first_key::float8 as "firstKey", entries from rollups where from_at = to_timestamp($1::float8 / 1000.0)
  and first_key < $2::text::int8 and last_key < $2::text::int8 order by first_key desc limit $3::int`;
  return transaction.query<RollupSize>(text, [hour, String(gpuKey), limit]);
}

/** Deletes the rollups of an hour that may have entries of GPUs between two keys, and returns them. */
export async function takeRollups(
  transaction: SqlTransaction,
  hour: number,
  { firstKey, lastKey }: { readonly firstKey: number; readonly lastKey: number },
): Promise<StoredRollups[]> {
  const text = `
delete from rollups r where r.from_at = to_timestamp($1::float8 / 1000.0) and r.first_key <= $3::text::int8
  and r.last_key >= $2::text::int8 returning ${selected(metricNames)}`;
  const bounds = [firstKey, lastKey].map(String);
  return toRollups(await transaction.query<RollupRow>(text, [hour, ...bounds]), metricNames);
}

/** Reads the rollups of an hour. */
export async function selectRollupsOfHour(executor: SqlExecutor, hour: number): Promise<StoredRollups[]> {
  const text = `select ${selected(metricNames)} from rollups r where r.from_at = to_timestamp($1::float8 / 1000.0)`;
  return toRollups(await executor.query<RollupRow>(text, [hour]), metricNames);
}

/** Deletes a row of rollups by its key. */
export function deleteRollups(transaction: SqlTransaction, { hour, firstKey }: StoredRollups): void {
  transaction.send(
    "delete from rollups where from_at = to_timestamp($1::float8 / 1000.0) and first_key = $2::text::int8",
    [hour, String(firstKey)],
  );
}

/** The GPUs among some that have rollups of an hour which are not stale.
 *  @param gpuKeys at least one, ascending */
export async function selectRolledUp(
  executor: SqlExecutor,
  hour: number,
  gpuKeys: readonly number[],
): Promise<Set<number>> {
  const text = `
select r.entries, r.keys, r.first_key::float8 as "firstKey" from rollups r where r.from_at = to_timestamp($1::float8 / 1000.0) and r.first_key <= $3::text::int8
  and r.last_key >= $2::text::int8`;
  const bounds = [gpuKeys[0], gpuKeys.at(-1)].map(String);
  const rows = await executor.query<Pick<StoredRollups, "entries" | "keys" | "firstKey">>(text, [hour, ...bounds]);
  if (rows.length === 0) return new Set();
  const staleText = `
select gpu_key::float8 as "gpuKey" from unsettled where hour = to_timestamp($1::float8 / 1000.0) and gpu_key = any($2::text::int8[])`;
  const stale = await executor.query<{ gpuKey: number }>(staleText, [hour, numberArray(gpuKeys)]);
  const keysOf = ({ entries, keys, firstKey }: (typeof rows)[number]): Float64Array =>
    decodeNamed(
      () => nameOfRollups({ firstKey, hour }),
      () => decodeNamedColumn("keys", () => decodeNumbers(keys, entries)),
    );
  const rolledUp = new Set(rows.flatMap((row) => [...keysOf(row)]));
  return rolledUp.difference(new Set(stale.map(({ gpuKey }) => gpuKey)));
}

/** Notes that the rollups of some GPUs in an hour are stale. */
export function markStale(transaction: SqlTransaction, hour: number, gpuKeys: readonly number[]): void {
  const text = `
insert into unsettled (hour, gpu_key) select to_timestamp($1::float8 / 1000.0), gpu_key from unnest($2::text::int8[]) as u(gpu_key)
order by gpu_key on conflict do nothing`;
  transaction.send(text, [hour, numberArray(gpuKeys)]);
}

/** Ends that the rollups of some GPUs in an hour are stale. @returns the keys of those that were */
export async function endStale(
  transaction: SqlTransaction,
  hour: number,
  gpuKeys: readonly number[],
): Promise<Set<number>> {
  const text = `
delete from unsettled where hour = to_timestamp($1::float8 / 1000.0) and gpu_key = any($2::text::int8[])
returning gpu_key::float8 as "gpuKey"`;
  const rows = await transaction.query<{ gpuKey: number }>(text, [hour, numberArray(gpuKeys)]);
  return new Set(rows.map(({ gpuKey }) => gpuKey));
}
