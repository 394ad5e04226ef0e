import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import type { TelemetryColumns } from "./telemetry-columns.ts";
import { boundsOf } from "./upsert-telemetry.ts";

// in the order of keys and times, in which all transactions lock records
const lockedText = `
select string_agg((place - 1)::text, ',') as rows from (
  select place
  from unnest($1::text::int8[], $2::text::float8[]) with ordinality as u(gpu_key, time_ms, place)
  join telemetry t on t.gpu_key = u.gpu_key and t.time = to_timestamp(u.time_ms / 1000.0)
  where t.time between to_timestamp($3::text::float8 / 1000.0) and to_timestamp($4::text::float8 / 1000.0)
  order by t.gpu_key, t.time for update of t) locked`;

// with the bounds $3 and $4, the statement does not read the chunks of other times
const text = `
select string_agg((place - 1)::text, ',') as rows
from unnest($1::text::int8[], $2::text::float8[]) with ordinality as u(gpu_key, time_ms, place)
join telemetry t on t.gpu_key = u.gpu_key and t.time = to_timestamp(u.time_ms / 1000.0)
where t.time between to_timestamp($3::text::float8 / 1000.0) and to_timestamp($4::text::float8 / 1000.0)`;

/** Finds the records whose GPU and instant are stored already, with the same or other values.
 *  @param isLocking true: the stored records are locked until the end of the transaction
 *  @returns the indexes of these records in the columns, from 0 */
export async function existingRecords(
  executor: SqlExecutor,
  { gpuKeys, timesMs }: Pick<TelemetryColumns, "gpuKeys" | "timesMs">,
  isLocking: boolean,
): Promise<ReadonlySet<number>> {
  const [firstMs, lastMs] = boundsOf(timesMs);
  const params = [numberArray(gpuKeys), numberArray(timesMs), String(firstMs), String(lastMs)];
  const [found] = await executor.query<{ rows: string | null }>(isLocking ? lockedText : text, params);
  return new Set(found?.rows?.split(",").map(Number));
}
