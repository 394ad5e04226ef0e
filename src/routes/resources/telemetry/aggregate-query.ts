import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import { type AggregateFilter, groupings } from "../../../domain/query.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { rollupFor } from "../../answers/resolution.ts";
import { gpuSelection, limit, limitMax, metricsParameter } from "../../http/parameters/common.ts";
import { choice, flag, type Parameter, type ValuesOf, withDefault } from "../../http/parameters/parameter.ts";
import { timeBounds, timeRangeOf } from "../../http/parameters/time-bounds.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";

const metricsDefault = ["gpu_utilization", "memory_utilization", "temperature", "power_draw"];
const windowDefaultMs = 3_600_000;
/** The highest limit that a REST request may set: enough for every minute of an hour for 1,600 hosts. */
const maxRows = 100_000;

/** The parameter for the maximum number of rows. */
export function aggregateLimit(bounds: { readonly maximum: number; readonly byDefault: number }): Parameter<number> {
  return limit({ meaning: "Maximum number of rows; if there are more, the request fails", ...bounds });
}

/** The parameters of requests for aggregates. */
export const aggregateQuery = {
  group_by: choice(groupings, { example: "host" }),
  metrics: metricsParameter(`default ${metricsDefault.join(", ")}`),
  ...timeBounds({
    start: "RFC 3339 with zone, or a time from now such as -1h; default an hour before the end",
    end: "RFC 3339 with zone, or a time from now such as -1h; default now",
  }),
  resolution: withDefault(
    choice(["auto", "1m", "1h", "1d"], {
      description: ({ value }) =>
        `${value("1m")}, ${value("1h")} or ${value("1d")} for minutes, hours or days (UTC), auto to choose by the length of the ` +
        `range (${value("1m")} up to 7 days, ${value("1h")} up to 92 days)`,
      example: "1m",
    }),
    "auto",
  ),
  parent_uuid: gpuSelection.parent_uuid,
  cluster_id: gpuSelection.cluster_id,
  hostname: gpuSelection.hostname,
  limit: aggregateLimit({ maximum: maxRows, byDefault: limitMax }),
  expected: withDefault(
    flag("Whether each row says how many records were due; large aggregates are answered sooner without it"),
    true,
  ),
};

/** Makes a filter from the values of a request's parameters.
 *  @throws InvalidParameter if `start_time` is after `end_time` */
export function aggregateFilterOf(values: ValuesOf<typeof aggregateQuery>, nowMs: number): AggregateFilter {
  const given = timeRangeOf(values);
  const toMs = given.toMs === Infinity ? nowMs + 1 : given.toMs;
  // the API's range includes its end, so the end is the millisecond before toMs
  const fromMs = given.fromMs === -Infinity ? toMs - 1 - windowDefaultMs : given.fromMs;
  const range = { fromMs, toMs };
  return {
    groupBy: values.group_by,
    metrics: values.metrics ?? metricsDefault,
    range,
    limit: values.limit,
    withExpected: values.expected,
    resolution: values.resolution === "auto" ? rollupFor(range, nowMs) : values.resolution,
    gpus: selectorOf({
      parent_uuid: values.parent_uuid,
      cluster_id: values.cluster_id,
      hostname: values.hostname,
    }),
  };
}

/** The range that was aggregated, and why it has no rows.
 *  @param fleet with the newest record of each GPU */
export function aggregateWindow({ range, gpus }: AggregateFilter, rows: readonly unknown[], fleet: Fleet) {
  const [startTime, endTime] = [range.fromMs, range.toMs - 1].map(formatTimestamp) as [string, string];
  const notice = rows.length > 0 || !fleet.isLoaded ? undefined : emptyNotice(fleet, gpus, range);
  return { start_time: startTime, end_time: endTime, ...defined({ notice }) };
}

function emptyNotice(fleet: Fleet, gpus: GpuSelector, { fromMs }: TimeRange): string {
  const newestMs = fleet.members(gpus).reduce((newest, { gpu }) => Math.max(newest, gpu.lastSeenAtMs), -Infinity);
  if (newestMs === -Infinity) return "No GPU that is selected has a record";
  const empty = `The range has no values: the newest record of the selected GPUs is of ${formatTimestamp(newestMs)}`;
  return newestMs < fromMs ? `${empty}; set start_time and end_time` : empty;
}
