import { coverageHourMs } from "../../domain/coverage.ts";
import type { SqlTransaction } from "../client.ts";
import { numberArray } from "./array-literal.ts";

const text = `
insert into frozen_readings (source_id, hour, gpu_key, readings)
select $1, to_timestamp($2::float8 / 1000.0), gpu_key, 1 from unnest($3::text::int8[]) as d(gpu_key) order by gpu_key
on conflict (source_id, hour, gpu_key) do update set readings = frozen_readings.readings + 1`;

/** Counts a reading of each device whose old values it repeats. Without such devices, nothing is written.
 *  @param timeMs the scheduled time of the reading */
export function countFrozen(
  transaction: SqlTransaction,
  { sourceId, timeMs }: { readonly sourceId: string; readonly timeMs: number },
  gpuKeys: readonly number[],
): void {
  if (gpuKeys.length === 0) return;
  const hour = Math.floor(timeMs / coverageHourMs) * coverageHourMs;
  transaction.send(text, [sourceId, hour, numberArray(gpuKeys)]);
}
