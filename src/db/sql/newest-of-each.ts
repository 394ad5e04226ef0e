import type { EachGpuFilter } from "../../domain/query.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { textArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { telemetryRows } from "./history-part.ts";
import { OwnRows } from "./own-rows.ts";
import { type RowsAndBlocks, rowsAndBlocks } from "./records-at.ts";
import { blockColumns, columns, type RecordOrBlock } from "./select-records.ts";
import { sentBlock, wholeBlock } from "./sent-blocks.ts";

/** Reads the newest rows of each of many GPUs, and its newest blocks unless the rows are enough, by one statement. Each GPU is read by
 *  the primary keys. The records of the blocks are still to be filtered.
 *  @param blocksOfEach the number of blocks of each GPU, at most */
export async function selectNewestOfEach(
  executor: SqlExecutor,
  filter: EachGpuFilter,
  blocksOfEach: number,
): Promise<RowsAndBlocks> {
  const { uuids, within, range, limit } = filter;
  const conditions = new Conditions();
  const source = telemetryRows(within && new OwnRows(within, conditions));
  const inRows = new Conditions(conditions.params).within("t.time", range);
  const inBlocks = new Conditions(conditions.params)
    .within("b.from_at", { fromMs: range.fromMs - hourMs, toMs: range.toMs })
    .within("b.to_at", { fromMs: range.fromMs, toMs: Infinity });
  const names = conditions.param(textArray([...new Set(uuids)]));
  const [max, blocksMax] = [conditions.param(limit), conditions.param(blocksOfEach)];
  const text = `
with k as materialized (select gpu_key from gpus where uuid = any(${names}::text::text[])),
r as materialized (
  select ${columns} from k cross join lateral (
    select * from ${source} t where t.gpu_key = k.gpu_key ${inRows.after("and")} order by t.time desc limit ${max}) t),
last_row as (
  select "gpuKey", to_timestamp(round(min("timeMs")) / 1000.0) as at from r group by "gpuKey" having count(*) >= ${max})
select r.*, null::bytea as block from r
union all
select ${blockColumns("b", sentBlock("b", wholeBlock))}
from k left join last_row l on l."gpuKey" = k.gpu_key::float8 cross join lateral (
  select * from blocks b where b.gpu_key = k.gpu_key ${inBlocks.after("and")} order by b.from_at desc limit ${blocksMax}) b
where l.at is null or b.to_at >= l.at`;
  return rowsAndBlocks(await executor.query<RecordOrBlock>(text, conditions.params));
}
