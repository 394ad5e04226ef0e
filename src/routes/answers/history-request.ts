import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { gpuKeyMax, gpuKeyMin, gpuKeyOf } from "../../domain/gpu-key.ts";
import type { MetricChoice } from "../../domain/metric-choice.ts";
import { type HistoryCursor, type RecordFilter, type Resolution, resolutions } from "../../domain/query.ts";
import { type SeriesSelector, seriesSelectorText } from "../../domain/series-selector.ts";
import { defined } from "../../kit/defined.ts";
import { InvalidParameter } from "../http/api-error.ts";
import { gpuSelection, limit, limitDefault } from "../http/parameters/common.ts";
import { cursorParameter, hasTypes, type Place } from "../http/parameters/cursor.ts";
import { choice, optional, type ValuesOf, withDefault } from "../http/parameters/parameter.ts";
import { promqlSelectorOf } from "../http/parameters/promql-example.ts";
import { recordMetrics } from "../http/parameters/record-metrics.ts";
import { timeBounds, timeRangeOf } from "../http/parameters/time-bounds.ts";
import { selectorOf, type SelectorValues } from "../schemas/gpu-selector.ts";
import { resolutionOf } from "./resolution.ts";

/** The parameters of every request for records. */
const recordsQuery = {
  ...timeBounds({
    start: "RFC 3339 with zone, or a time from now such as -1h; records at or after it",
    end: "RFC 3339 with zone, or a time from now such as -1h; records at or before it",
  }),
  limit: limit({ meaning: "At most this many records, the newest ones" }),
  order: withDefault(
    choice(["asc", "desc"], { description: "asc for the oldest record first, desc for the newest", example: "desc" }),
    "asc",
  ),
  metrics: recordMetrics,
};

/** The parameters of requests for the newest records. */
export const latestQuery = {
  ...recordsQuery,
  ...gpuSelection,
  cursor: cursorParameter({
    maxLength: 2048,
    following: "older records, without GPUs that have reported again since",
    example: [1752871354000, "mtv5-dgx1-hgpu-032", 4, "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4"],
    positionOf: (place) => (hasTypes(place, "number", "string", "number", "string") ? place : undefined),
  }),
};

/** The parameters of requests for the history of one GPU. */
export const historyQuery = {
  ...recordsQuery,
  // with neither limit nor cursor, CSV, NDJSON and Parquet return the whole range
  limit: optional(recordsQuery.limit),
  resolution: withDefault(
    choice(["auto", ...resolutions], {
      description: ({ name, value }) =>
        `raw for every record, ${value("1m")}, ${value("1h")} or ${value("1d")} for averages over minutes, hours or days (UTC), auto to ` +
        `choose by the length of the range (raw up to 6 h or without ${name("start_time")}, ${value("1m")} up to 7 days, ` +
        `${value("1h")} up to 92 days, else ${value("1d")})`,
      example: "auto",
    }),
    "raw",
  ),
  cursor: cursorParameter({
    maxLength: 64,
    following: "older records",
    example: [1752871354000, gpuKeyOf("GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4")],
    positionOf: historyCursorOf,
  }),
};

/** The parameters of requests for the history of all GPUs. */
export const fleetHistoryQuery = { ...historyQuery, ...gpuSelection };

/** The values of a request for history. GraphQL passes no metrics, because the selected fields determine them. For the
 *  history of a single GPU, it passes no cursor either. */
export type HistoryValues = Omit<ValuesOf<typeof historyQuery>, "metrics" | "cursor"> &
  Partial<Pick<ValuesOf<typeof historyQuery>, "metrics" | "cursor">> &
  SelectorValues;

/** A request for history. */
export interface HistoryRequest {
  /** The filter for the store's query. */
  readonly records: RecordFilter;
  readonly resolution: Resolution;
  /** The metrics of each record; undefined for all. */
  readonly metrics: MetricChoice | undefined;
  readonly isNewestFirst: boolean;
  /** True if neither limit nor cursor is given: CSV, NDJSON and Parquet then return the whole range. */
  readonly isUnlimited: boolean;
}

/** Makes a request from the values of its parameters.
 *  @param gpus the GPUs that the path names; `{}` if it names none
 *  @throws InvalidParameter if the range ends before it starts, or if averages are asked for series, which they do not have */
export function historyRequestOf(values: HistoryValues, gpus: GpuSelector, nowMs: number): HistoryRequest {
  const range = timeRangeOf(values);
  const { cursor, limit: given = limitDefault } = values;
  const resolution = resolutionOf(values.resolution, range, nowMs);
  const [series] = values.metrics?.series ?? [];
  if (series !== undefined && resolution !== "raw") throw noAverages(series, resolution);
  return {
    records: { gpus: { ...selectorOf(values), ...gpus }, range, limit: given, ...defined({ cursor }) },
    resolution,
    metrics: values.metrics,
    isNewestFirst: values.order === "desc",
    isUnlimited: values.limit === undefined && cursor === undefined,
  };
}

/** The error of a request for averages of a series, with the query that answers it. */
function noAverages(series: SeriesSelector, resolution: Resolution): InvalidParameter {
  const value = seriesSelectorText(series);
  const selector = promqlSelectorOf(value);
  const example = selector === undefined ? "" : `, such as avg_over_time(${selector}[${resolution}])`;
  return new InvalidParameter({
    ...{ parameter: "metrics", value, expected: "names from /api/v1/metrics, or resolution=raw" },
    problem:
      `averages (resolution=${resolution}) have no labelled series and no metrics outside the catalogue; ` +
      `PromQL averages them at /api/v1/query_range${example}`,
  });
}

/** Refuses the cursors of older versions, whose keys are below `gpuKeyMin`. Such a key does not tell which records of the
 *  cursor's instant the client already has. */
function historyCursorOf([timeMs, gpuKey, ...rest]: Place): HistoryCursor | undefined {
  const isPlace = isWhole(timeMs, -timeMax, timeMax) && isWhole(gpuKey, gpuKeyMin, gpuKeyMax) && rest.length === 0;
  return isPlace ? { timeMs, gpuKey } : undefined;
}

/** The latest instant that a cursor may have; the store's column can hold it. */
const timeMax = 1e15;

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}
