import { gpuKeyOf } from "../../domain/gpu-key.ts";
import type { SeriesEnd } from "../../domain/series-end.ts";
import type { SqlTransaction } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

// all transactions lock the rows in the same order, which avoids deadlocks
const text = `
insert into series_ends (gpu_key, time, since, series)
select gpu_key, to_timestamp(time_ms / 1000.0), to_timestamp(max(since_ms) / 1000.0), array_agg(distinct name order by name)
from unnest($1::text::int8[], $2::text::float8[], $3::text::float8[], $4::text::text[]) as u(gpu_key, time_ms, since_ms, name)
group by gpu_key, time_ms order by gpu_key, time_ms
on conflict (gpu_key, time) do update set since = greatest(series_ends.since, excluded.since), series = array(
  select distinct name from unnest(series_ends.series || excluded.series) as name order by name)
where not series_ends.series @> excluded.series or series_ends.since < excluded.since`;

/** Adds ends of series to those that are known; of two ends of one device and instant, the later `sinceMs` counts. A device may be
 *  unknown: its end may be stored before its first record, because messages are stored in any order. */
export function insertSeriesEnds(transaction: SqlTransaction, ends: readonly SeriesEnd[]): void {
  if (ends.length === 0) return;
  const [keys, times, sinces, names]: [number[], number[], number[], string[]] = [[], [], [], []];
  for (const { uuid, timeMs, sinceMs = Infinity, series } of ends) {
    const key = gpuKeyOf(uuid);
    for (const name of series) {
      keys.push(key);
      times.push(timeMs);
      sinces.push(sinceMs);
      names.push(name);
    }
  }
  transaction.send(text, [numberArray(keys), numberArray(times), numberArray(sinces), textArray(names)]);
}
