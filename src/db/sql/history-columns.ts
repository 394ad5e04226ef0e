import { hourMs, type TimeRange } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { epochMs } from "./epoch-ms.ts";
import { type BlockOfGpu, joinedBlocks, readJoinedBlocks } from "./sent-blocks.ts";

/** What to read of the records of some GPUs. */
export interface WantedColumns {
  readonly gpuKeys: readonly number[];
  /** Both bounds are finite. */
  readonly range: TimeRange;
  /** Names of the catalogue. */
  readonly metrics: readonly string[];
  /** True: also the metrics outside the catalogue, and the labelled series. */
  readonly withOthers: boolean;
  /** True: also who held the GPUs, and what was reported about them. */
  readonly withRuns: boolean;
}

/** What is stored as rows of one GPU: columns of doubles as the server sends them (`sentDoubles`), in the order of time. */
export interface RowsOfGpu {
  readonly kind: "rows";
  readonly gpuKey: number;
  readonly records: number;
  readonly times: Uint8Array;
  readonly others: null;
  readonly runs: null;
}

/** What belongs to some of a GPU's rows, as JSON in `runs`. */
interface OfRecords {
  readonly gpuKey: number;
  readonly records: number;
  readonly times: null;
  readonly others: null;
  readonly runs: string;
}

/** The other series of the records of an hour, in any order: a list of [the place of a record among the GPU's rows, from 0, and an
 *  object with its series]. One row for each record would take several times the memory and time. */
type OthersOfRecords = OfRecords & { readonly kind: "others" };

/** What holds from a record on until the next such row: a list of attributes' id, container, pod, namespace and occupants, as `telemetry`
 *  has them. `records` is the place of the record among the GPU's rows, from 0. */
type RunOfRecords = OfRecords & { readonly kind: "run" };

/** A part of the answer. Rows and blocks also have a `Uint8Array | null` for each metric. */
export type ColumnsRow = RowsOfGpu | BlockOfGpu | OthersOfRecords | RunOfRecords;

/** Reads rows and blocks by one statement, and so from one snapshot: a GPU's hour that is being settled is in one of the two. Each GPU
 *  is read by the primary keys.
 *  @returns in any order, except that the parts of a kind of one GPU are in the order of time */
export async function selectColumns(executor: SqlExecutor, wanted: WantedColumns): Promise<ColumnsRow[]> {
  const { gpuKeys, range, metrics } = wanted;
  const sent = metrics.map((name) => `, string_agg(float8send(coalesce(r."${name}", 'NaN')), '') as "${name}"`);
  const none = metrics.map(() => ", null::bytea").join("");
  const row = (kind: string, from: string): string => `
union all select '${kind}', k.gpu_key::float8, r.place::float8, null::bytea${none}, null::bytea, r.text from k cross join lateral (${from}) r`;
  // `offset 0`: the server reads one GPU after the other, and not all that is within the range
  const text = `
with k as (select gpu_key from unnest($1::text::int8[]) as u(gpu_key))
select 'blocks' as kind, null::float8 as "gpuKey", null::float8 as records, null::bytea as times${metrics.map((name) => `, null::bytea as "${name}"`).join("")},
  ${joinedBlocks(wanted)} as others, null::text as runs
from k cross join lateral (
  select * from blocks b where b.gpu_key = k.gpu_key and b.from_at >= to_timestamp($2::float8 / 1000.0 - ${hourMs / 1000})
    and b.from_at < to_timestamp($3::float8 / 1000.0) and b.to_at >= to_timestamp($2::float8 / 1000.0) order by b.from_at offset 0) b
union all
select 'rows', k.gpu_key::float8, r.records::float8, r.times${metrics.map((name) => `, r."${name}"`).join("")}, null::bytea, null::text
from k cross join lateral (
  select count(*) as records, string_agg(float8send(${epochMs("r.time")}), '') as times${sent.join("")}
  from (select * from ${rowsOfGpu} order by t.time) r) r where r.records > 0
${wanted.withOthers ? row("others", othersOfGpu) : ""}${wanted.withRuns ? row("run", runsOfGpu) : ""}`;
  const params = [numberArray(gpuKeys), range.fromMs, range.toMs];
  const rows = await executor.query<Exclude<ColumnsRow, BlockOfGpu> | SentBlocks>(text, params);
  return rows.flatMap((each): ColumnsRow[] =>
    each.kind === "blocks" ? readJoinedBlocks(each.others, metrics) : [each],
  );
}

/** All blocks as one value, which is null if there are none. */
interface SentBlocks {
  readonly kind: "blocks";
  readonly others: Uint8Array | null;
}

const rowsOfGpu = `telemetry t where t.gpu_key = k.gpu_key
    and t.time >= to_timestamp($2::float8 / 1000.0) and t.time < to_timestamp($3::float8 / 1000.0)`;

const othersOfGpu = `
  select count(*) as place, '[' || string_agg('[' || place || ',' || custom::text || ']', ',') || ']' as text from (
    select row_number() over (order by t.time) - 1 as place, date_trunc('hour', t.time) as hour, t.custom from ${rowsOfGpu}) t
  where custom is not null group by hour`;

const held = "t.attributes_id, t.container, t.pod, t.namespace, t.occupants";
const runsOfGpu = `
  select place, json_build_array(t.attributes_id::float8, t.container, t.pod, t.namespace, t.occupants)::text as text from (
    select row_number() over w - 1 as place, (${held}) is distinct from lag((${held})) over w as is_start, ${held}
    from ${rowsOfGpu} window w as (order by t.time)) t
  where is_start or place = 0 order by place`;

/** Doubles in the binary form that the server sends, big-endian; the platforms of this program are little-endian. */
export function sentDoubles(bytes: Uint8Array): Float64Array {
  const { length } = bytes;
  const { swapped, doubles } = length <= shared.swapped.length ? shared : roomFor(length);
  swapped.set(bytes);
  swapped.subarray(0, length).swap64();
  return doubles.slice(0, length / Float64Array.BYTES_PER_ELEMENT);
}

/** Bytes, and the same as doubles. */
function roomFor(length: number) {
  const { buffer } = new Uint8Array(length);
  return { swapped: Buffer.from(buffer), doubles: new Float64Array(buffer) };
}

/** Answers have many short columns: a room of its own for each would take several times its memory. */
const shared = roomFor(32_768);

/** Reads the keys of all GPUs, ascending. */
export async function selectGpuKeys(executor: SqlExecutor): Promise<number[]> {
  const text = `select gpu_key::float8 as "gpuKey" from gpus order by gpu_key`;
  return (await executor.query<{ gpuKey: number }>(text)).map(({ gpuKey }) => gpuKey);
}

/** Reads the span of time from the first to the last record of all GPUs; undefined if there are none. The last hour counts as a whole. */
export async function selectExtent(executor: SqlExecutor): Promise<TimeRange | undefined> {
  const text = `
select ${epochMs("least((select min(time) from telemetry), (select min(from_at) from blocks))")} as "fromMs",
  ${epochMs("greatest((select max(time) from telemetry), (select max(from_at) from blocks))")} as "toMs"`;
  const [extent] = await executor.query<{ fromMs: number | null; toMs: number | null }>(text);
  const { fromMs = null, toMs = null } = extent ?? {};
  if (fromMs === null || toMs === null) return undefined;
  return { fromMs: Math.floor(fromMs / hourMs) * hourMs, toMs: (Math.floor(toMs / hourMs) + 1) * hourMs };
}
