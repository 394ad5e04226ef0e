import { metricNameOf } from "../../../domain/dialects/spelling-of.ts";
import type { HistoryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { gpuSelection, limit } from "../../http/parameters/common.ts";
import { optional, text, type ValuesOf } from "../../http/parameters/parameter.ts";
import { timeBounds, timeRangeOf } from "../../http/parameters/time-bounds.ts";
import { nameMaxLength } from "../../schemas/envelope.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";
import { toApiSeries } from "./series.ts";

/** The number of records that are read for their series: as many as the largest page of history has. */
export const recordsRead = 10_000;

/** The parameters of requests for series. */
export const seriesQuery = {
  ...gpuSelection,
  ...timeBounds({
    start: "RFC 3339 with zone, or a time from now such as -1h; series of records at or after it",
    end: "RFC 3339 with zone, or a time from now such as -1h; series of records at or before it",
  }),
  metric: optional(
    text({
      maxLength: nameMaxLength,
      description: "Only series of this metric, in any of its spellings",
      example: "xid_errors",
    }),
  ),
  limit: limit({ meaning: "At most this many series, the first by name", byDefault: 1000 }),
};

/** The series of the newest selected records.
 *  @throws InvalidParameter if the range ends before it starts
 *  @throws StoreUnavailable, QueryTooCostly */
export async function seriesSeen(queries: HistoryQueries, values: ValuesOf<typeof seriesQuery>) {
  const filter = { gpus: selectorOf(values), range: timeRangeOf(values), limit: recordsRead };
  const { elements } = await queries.records(filter);
  const series = toApiSeries(elements);
  const { metric } = values;
  const name = metric === undefined ? undefined : metricNameOf(metric);
  const meant = name === undefined ? series : series.filter((each) => metricNameOf(each.metric) === name);
  return { elements: meant.slice(0, values.limit), total: meant.length };
}
