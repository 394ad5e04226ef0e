import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import type { RecordPlace } from "./matching-places.ts";
import { blockColumns, columns, type RecordOrBlock, type RecordRow, inWholeMilliseconds } from "./select-records.ts";
import { type BlockOfGpu, readJoinedBlocks, sentBlock, wholeBlock } from "./sent-blocks.ts";

/** Records, those that are rows and those that are in blocks. */
export interface RowsAndBlocks {
  readonly rows: readonly RecordRow[];
  /** With all of their columns. */
  readonly blocks: readonly BlockOfGpu[];
}

const sent = blockColumns("b", sentBlock("b", wholeBlock));
const text = `
with u as (select * from unnest($1::text::int8[], $2::text::float8[]) as u(gpu_key, time_ms))
select ${columns}, null::bytea as block from u cross join lateral (
  select * from telemetry t where t.gpu_key = u.gpu_key and t.time = to_timestamp(u.time_ms / 1000.0) offset 0) t
union all
select ${sent} from (
  select distinct n.gpu_key, n.from_at from u cross join lateral (
    select * from blocks b where b.gpu_key = u.gpu_key and b.from_at <= to_timestamp(u.time_ms / 1000.0)
    order by b.from_at desc limit 1) n
  where n.to_at >= to_timestamp(u.time_ms / 1000.0)) n
join blocks b on b.gpu_key = n.gpu_key and b.from_at = n.from_at`;

/** Reads some records by one statement, and so from one snapshot. */
export async function selectStoredAt(executor: SqlExecutor, places: readonly RecordPlace[]): Promise<RowsAndBlocks> {
  const params = [numberArray(places.map(({ gpuKey }) => gpuKey)), numberArray(places.map(({ timeMs }) => timeMs))];
  return rowsAndBlocks(await executor.query<RecordOrBlock>(text, params));
}

/** The rows of a statement that sends all columns of blocks. */
export function rowsAndBlocks(read: readonly RecordOrBlock[]): RowsAndBlocks {
  const whole = inWholeMilliseconds(read);
  return {
    rows: whole.filter(({ block }) => block === null),
    blocks: whole.flatMap(({ block }) => readJoinedBlocks(block, wholeBlock.metrics)),
  };
}
