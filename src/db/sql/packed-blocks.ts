import { metricNames } from "../../domain/metrics.ts";
import type { PackedBlock } from "../../domain/block/packed-block.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { CopyRows } from "./copy-rows.ts";
import { packedColumns } from "./packed-columns.ts";

/** A block of a GPU. */
export interface StoredBlock extends PackedBlock {
  readonly gpuKey: number;
  /** The instants of its first and last record, milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
}

const columns = ["gpu_key", "from_at", "to_at", "records", "times", ...metricNames, "others", "runs"];

/** Adds blocks. @returns false, with nothing added, if a block of the same GPU and first instant exists already */
export function copyBlocks(transaction: SqlTransaction, blocks: readonly StoredBlock[]): Promise<boolean> {
  if (blocks.length === 0) return Promise.resolve(true);
  const rows = new CopyRows(blocks.length * 4096);
  for (const { gpuKey, fromMs, toMs, records, times, metrics: packed, others, runs } of blocks) {
    rows.row(columns.length);
    rows.int8(gpuKey);
    rows.timestamptz(fromMs);
    rows.timestamptz(toMs);
    rows.int4(records);
    rows.bytea(times);
    for (const name of metricNames) rows.bytea(packed.get(name));
    rows.bytea(others);
    rows.text(Buffer.from(runs));
  }
  return transaction.copy(`blocks (${columns.map((name) => `"${name}"`).join(", ")})`, rows.end());
}

/** An SQL expression: those of some hours in which blocks exist, of any GPU, as `1,2,3`; NULL if there are none.
 *  @param hours an expression: an array of their beginnings, milliseconds since the epoch */
export function settledAmong(hours: string): string {
  return `(select string_agg(hour_ms::text, ',') from unnest(${hours}) as h(hour_ms) where exists (
    select from blocks where from_at >= to_timestamp(hour_ms / 1000.0) and from_at < to_timestamp((hour_ms + ${hourMs}) / 1000.0)))`;
}

/** A GPU's hour; columns of the same length. */
export interface GpuHours {
  readonly gpuKeys: readonly number[];
  readonly hours: readonly number[];
}

const selected = `
b.gpu_key::float8 as "gpuKey", extract(epoch from b.from_at)::float8 * 1000 as "fromMs",
  extract(epoch from b.to_at)::float8 * 1000 as "toMs", b.records, b.times, ${metricNames.map((name) => `b."${name}"`).join(", ")},
  b.others, b.runs::text as runs`;

// two transactions that take the same blocks, or make the same rollups stale, lock them in one order
const takeText = `
with due as (
  select b.gpu_key, b.from_at from unnest($1::text::int8[], $2::text::float8[]) as u(gpu_key, hour_ms)
  join blocks b on b.gpu_key = u.gpu_key and b.from_at >= to_timestamp(u.hour_ms / 1000.0)
    and b.from_at < to_timestamp((u.hour_ms + ${hourMs}) / 1000.0)
  order by b.gpu_key, b.from_at limit $3::text::int for update of b),
taken as (delete from blocks b using due where b.gpu_key = due.gpu_key and b.from_at = due.from_at returning b.*),
stale as (
  insert into unsettled (hour, gpu_key)
  select distinct date_bin('1 hour', from_at, timestamptz '2000-01-01 00:00:00Z'), gpu_key from taken order by 1, 2
  on conflict do nothing)
select ${selected} from taken b`;

type BlockRow = Pick<StoredBlock, "gpuKey" | "fromMs" | "toMs" | "records" | "runs"> &
  Readonly<Record<"times", Uint8Array>> &
  Readonly<Record<"others", Uint8Array | null>>;

/** Deletes at most `limit` blocks of some hours of GPUs, marks the rollups of these as stale, and returns the blocks. */
export async function takeBlocks(
  transaction: SqlTransaction,
  { gpuKeys, hours }: GpuHours,
  limit: number,
): Promise<StoredBlock[]> {
  return toBlocks(
    await transaction.query<BlockRow>(takeText, [numberArray(gpuKeys), numberArray(hours), String(limit)]),
  );
}

/** Reads the blocks of some GPUs in an hour, in the order of keys and instants. */
export async function selectBlocks(
  executor: SqlExecutor,
  hour: number,
  gpuKeys: readonly number[],
): Promise<StoredBlock[]> {
  const text = `
select ${selected} from blocks b where b.gpu_key = any($2::text::int8[]) and ${inHour("b.from_at")} order by b.gpu_key, b.from_at`;
  return toBlocks(await executor.query<BlockRow>(text, [hour, numberArray(gpuKeys)]));
}

/** Reads of which GPUs there are blocks in an hour, in the order of their keys, each with the number of its records. */
export function selectGpusOfBlocks(
  executor: SqlExecutor,
  hour: number,
): Promise<{ readonly gpuKey: number; readonly records: number }[]> {
  const text = `
select gpu_key::float8 as "gpuKey", sum(records)::float8 as records from blocks where ${inHour("from_at")} group by gpu_key order by gpu_key`;
  return executor.query(text, [hour]);
}

/** A condition: an instant is in the hour that begins at `$1`, milliseconds since the epoch. */
function inHour(instant: string): string {
  return `${instant} >= to_timestamp($1::float8 / 1000.0) and ${instant} < to_timestamp(($1::float8 + ${hourMs}) / 1000.0)`;
}

function toBlocks(rows: readonly BlockRow[]): StoredBlock[] {
  return rows.map(({ others, ...row }) => ({
    ...row,
    others: others ?? undefined,
    metrics: packedColumns(row, metricNames),
  }));
}
