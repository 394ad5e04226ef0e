import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { metricNames } from "../../domain/metrics.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { epochMs } from "./epoch-ms.ts";
import type { RecordPlace } from "./matching-places.ts";
import { type RowsAndBlocks, rowsAndBlocks } from "./records-at.ts";
import { gpuConditions, gpuOrder } from "./select-gpus.ts";
import { blockColumns, columns, type RecordOrBlock, type RecordRow, inWholeMilliseconds } from "./select-records.ts";
import { sentBlock, wholeBlock } from "./sent-blocks.ts";

/** The newest record of a GPU: a row, or only its place if it is in a block. */
export type NewestRecord = RecordRow | (RecordPlace & { readonly custom?: undefined });

interface NewestRow extends RecordRow {
  readonly settledMs: number | null;
}

/** Reads the newest record of each selected GPU, ordered by `gpuOrder`. The search begins at `last_seen_at`, so that older chunks are
 *  not read. */
export async function selectLatest(executor: SqlExecutor, selector: GpuSelector): Promise<NewestRecord[]> {
  const conditions = gpuConditions(selector);
  const text = `
select ${columns.replace("t.gpu_key", "g.gpu_key")}, ${epochMs("b.to_at")} as "settledMs"
from gpus g left join lateral (
  select * from telemetry where gpu_key = g.gpu_key and time >= g.last_seen_at order by time desc limit 1) t on true
left join lateral (
  select to_at from blocks where gpu_key = g.gpu_key and from_at > g.last_seen_at - interval '1 hour' and to_at >= g.last_seen_at
  order by from_at desc limit 1) b on t.time is null or b.to_at > t.time
where (t.time is not null or b.to_at is not null) ${conditions.after("and")} order by ${gpuOrder}`;
  const rows = await executor.query<NewestRow>(text, conditions.params);
  return inWholeMilliseconds(rows).map((row) =>
    row.settledMs === null ? row : { gpuKey: row.gpuKey, timeMs: Math.round(row.settledMs) },
  );
}

const rowHasValues = `(coalesce(${metricNames.map((name) => `t."${name}"`).join(", ")}) is not null or t.custom is not null)`;
const blockHasValues = `(coalesce(${metricNames.map((name) => `b."${name}"`).join(", ")}, b.others) is not null)`;
const withValuesText = `
with k as (select * from unnest($1::text::int8[]) as u(gpu_key))
select ${columns}, null::bytea as block from k cross join lateral (
  select * from telemetry t where t.gpu_key = k.gpu_key and ${rowHasValues} order by t.time desc limit 1) t
union all
select ${blockColumns("b", sentBlock("b", wholeBlock))} from k cross join lateral (
  select * from blocks b where b.gpu_key = k.gpu_key and ${blockHasValues} order by b.from_at desc limit 1) b`;

/** Reads the newest row that has values, and the newest block that has values, of each GPU that has such ones. */
export async function selectLatestWithValues(
  executor: SqlExecutor,
  gpuKeys: readonly number[],
): Promise<RowsAndBlocks> {
  return rowsAndBlocks(await executor.query<RecordOrBlock>(withValuesText, [numberArray(gpuKeys)]));
}
