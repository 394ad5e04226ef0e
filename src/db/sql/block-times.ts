import { hourMs, type TimeRange } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";

/** What says of a block when its records were, and who held the GPU then. */
export interface BlockTimes {
  readonly gpuKey: number;
  readonly fromMs: number;
  readonly records: number;
  readonly times: Uint8Array;
  readonly runs: string;
}

/** Some hundred kB. */
const blocksPerStatement = 1000;

/** Reads when the records of all blocks of a range were, the newest blocks first. */
export async function* readBlockTimes(
  executor: SqlExecutor,
  { fromMs, toMs }: TimeRange,
): AsyncGenerator<readonly BlockTimes[], void, undefined> {
  for (let last: (BlockTimes & { readonly fromAt: string }) | undefined; ;) {
    const conditions = new Conditions().within("b.from_at", { fromMs: fromMs - hourMs, toMs });
    if (last !== undefined) {
      const [fromAt, gpuKey] = [conditions.param(last.fromAt), conditions.param(String(last.gpuKey))];
      conditions.addText(`(b.from_at, b.gpu_key) < (${fromAt}::text::timestamptz, ${gpuKey}::text::int8)`);
    }
    const rows: readonly (BlockTimes & { readonly fromAt: string })[] = await executor.query(
      `select b.gpu_key::float8 as "gpuKey", extract(epoch from b.from_at)::float8 * 1000 as "fromMs", b.from_at::text as "fromAt",
  b.records, b.times, b.runs::text as runs
from blocks b ${conditions.after("where")} order by b.from_at desc, b.gpu_key desc limit ${blocksPerStatement}`,
      conditions.params,
    );
    if (rows.length > 0) yield rows;
    if (rows.length < blocksPerStatement) return;
    last = rows.at(-1);
  }
}
