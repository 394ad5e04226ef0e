import { gpuKeyOf } from "../../domain/gpu-key.ts";
import type { SeriesEnd } from "../../domain/series-end.ts";
import type { SqlTransaction } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

// all transactions lock the rows in the same order, which avoids deadlocks
const text = `
insert into series_ends (gpu_key, time, series)
select gpu_key, to_timestamp(time_ms / 1000.0), array_agg(distinct name order by name)
from unnest($1::text::int8[], $2::text::float8[], $3::text::text[]) as u(gpu_key, time_ms, name)
where exists (select from gpus g where g.gpu_key = u.gpu_key)
group by gpu_key, time_ms order by gpu_key, time_ms
on conflict (gpu_key, time) do update set series = array(
  select distinct name from unnest(series_ends.series || excluded.series) as name order by name)
where not series_ends.series @> excluded.series`;

/** Adds ends of series to those that are known. Ends of devices that the store does not have are left out. */
export function insertSeriesEnds(transaction: SqlTransaction, ends: readonly SeriesEnd[]): void {
  if (ends.length === 0) return;
  const [keys, times, names]: [number[], number[], string[]] = [[], [], []];
  for (const { uuid, timeMs, series } of ends) {
    const key = gpuKeyOf(uuid);
    for (const name of series) {
      keys.push(key);
      times.push(timeMs);
      names.push(name);
    }
  }
  transaction.send(text, [numberArray(keys), numberArray(times), textArray(names)]);
}
