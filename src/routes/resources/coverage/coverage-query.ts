import {
  type CoverageFilter,
  coverageGroupings,
  coverageHourMs,
  type CoveragePlace,
} from "../../../domain/coverage.ts";
import type { Clock } from "../../../kit/clock.ts";
import { defined } from "../../../kit/defined.ts";
import type { CoverageQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { gpuSelection, limit } from "../../http/parameters/common.ts";
import { cursorParameter, encodeCursor, type Place } from "../../http/parameters/cursor.ts";
import { choice, type ValuesOf, withDefault } from "../../http/parameters/parameter.ts";
import { hourBounds, hoursBetween } from "../../http/parameters/time-bounds.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";
import { toApiCoverage } from "./coverage-row.ts";

/** What a database can take for an instant: the year 5138. */
const maxTimeMs = 1e14;

/** The parameters of requests for coverage. */
export const coverageQuery = {
  by: withDefault(choice(coverageGroupings, { example: "host" }), "cluster"),
  ...hourBounds("an hour"),
  step: withDefault(
    choice(["hour", "total"], {
      description: ({ value }) =>
        `${value("hour")}: a row for each hour; ${value("total")}: one row for the whole range`,
      example: "hour",
    }),
    "hour",
  ),
  gpu_uuid: gpuSelection.gpu_uuid,
  parent_uuid: gpuSelection.parent_uuid,
  cluster_id: gpuSelection.cluster_id,
  hostname: gpuSelection.hostname,
  model: gpuSelection.model,
  limit: limit({ byDefault: 1000 }),
  cursor: cursorParameter({
    maxLength: 4096,
    following: "the rows that follow",
    example: [1_752_868_800_000, "local-cluster", "mtv5-dgx1-hgpu-032"],
    positionOf: placeOf,
  }),
};

/** @returns undefined unless a row can begin at this time: an hour, or a range of hours */
function placeOf([timeMs, ...group]: Place): CoveragePlace | undefined {
  const isHour = typeof timeMs === "number" && timeMs % coverageHourMs === 0 && Math.abs(timeMs) < maxTimeMs;
  return isHour ? { timeMs, group: group.map(String) } : undefined;
}

/** A part of the coverage, in the API's shape. */
export interface ApiCoveragePage {
  readonly rows: readonly ReturnType<typeof toApiCoverage>[];
  /** The cursor of the next part; undefined at the end. */
  readonly next: string | undefined;
}

/** Reads the requested part of the coverage.
 *  @throws InvalidParameter if `start_time` is after `end_time`
 *  @throws StoreUnavailable, QueryTooCostly */
export async function coveragePage(
  queries: CoverageQueries,
  values: ValuesOf<typeof coverageQuery>,
  clock: Clock,
): Promise<ApiCoveragePage> {
  const filter = coverageFilterOf(values, clock.nowMs());
  const { rows, next } = await queries.coverage(filter);
  return {
    rows: rows.map((row) => toApiCoverage(row, filter.groupBy)),
    next: next && encodeCursor([next.timeMs, ...next.group]),
  };
}

function coverageFilterOf(values: ValuesOf<typeof coverageQuery>, nowMs: number): CoverageFilter {
  const { by: groupBy, step, limit: max, cursor: after } = values;
  const range = hoursBetween(values, { nowMs, windowMs: coverageHourMs });
  const { gpu_uuid, parent_uuid, cluster_id, hostname, model } = values;
  const gpus = selectorOf({ gpu_uuid, parent_uuid, cluster_id, hostname, model });
  return { groupBy, gpus, range, step, nowMs, limit: max, ...defined({ after }) };
}
