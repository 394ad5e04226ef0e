import type { EndsFilter } from "../../domain/query.ts";
import { gpuKeyOf } from "../../domain/gpu-key.ts";
import type { SeriesEnd } from "../../domain/series-end.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { epochMs } from "./epoch-ms.ts";
import { OwnRows, ownTime } from "./own-rows.ts";

/** An end is within if its device was within right before it: a workload of another owner may follow at that very instant. */
const isOwn = `
exists (select from own_time o where o.gpu_key = e.gpu_key and o.spans @> e.time - interval '1 microsecond')`;

interface StoredEnd {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly sinceMs: number | null;
  /** A JSON array. */
  readonly series: string;
}

/** Reads ends of series, by time ascending. */
export async function selectSeriesEnds(executor: SqlExecutor, filter: EndsFilter): Promise<SeriesEnd[]> {
  const { uuids, range, within } = filter;
  if (uuids.length === 0) return [];
  const uuidByKey = new Map(uuids.map((uuid) => [gpuKeyOf(uuid), uuid]));
  const conditions = new Conditions();
  const keys = conditions.param(numberArray([...uuidByKey.keys()]));
  conditions.addText(`e.gpu_key = any(${keys}::text::int8[])`).within("e.time", range);
  const own = within && new OwnRows(within, conditions);
  const ownTimes = own === undefined ? "" : `with ${ownTime(own, `select unnest(${keys}::text::int8[])`)}`;
  if (own !== undefined) conditions.addText(isOwn);
  const text = `${ownTimes}
select e.gpu_key::float8 as "gpuKey", ${epochMs("e.time")} as "timeMs", ${epochMs("nullif(e.since, 'infinity')")} as "sinceMs",
  array_to_json(e.series)::text as series from series_ends e
${conditions.after("where")} order by e.time, e.gpu_key`;
  const rows = await executor.query<StoredEnd>(text, conditions.params);
  return rows.map(({ gpuKey, timeMs, sinceMs, series }) => ({
    uuid: uuidByKey.get(gpuKey) ?? "",
    timeMs: Math.round(timeMs),
    ...(sinceMs !== null && { sinceMs: Math.round(sinceMs) }),
    series: JSON.parse(series) as string[],
  }));
}
