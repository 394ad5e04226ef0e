import type { ListPage } from "../../http/list-page.ts";
import { hourMs } from "../../../domain/time-range.ts";
import { usageGroupings, type UsageFilter, usageSteps } from "../../../domain/usage/usage.ts";
import type { Clock } from "../../../kit/clock.ts";
import { defined } from "../../../kit/defined.ts";
import type { UsageQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { gpuSelection, limit, nameOf } from "../../http/parameters/common.ts";
import { cursorParameter, encodeCursor, type Place } from "../../http/parameters/cursor.ts";
import { choice, optional, type ValuesOf, withDefault } from "../../http/parameters/parameter.ts";
import { hourBounds, hoursBetween } from "../../http/parameters/time-bounds.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";
import { type ApiHours, toApiHours, toApiJob, toApiUsage } from "./usage-row.ts";

const windowDefaultMs = 24 * hourMs;
/** So many groups and hours are in memory at most. */
const rowsMax = 100_000;

/** The parameters that select usage. */
const selection = {
  ...hourBounds("a day"),
  ...gpuSelection,
  namespace: optional(nameOf("Only what this Kubernetes namespace held", "ml-training")),
  pod: optional(nameOf("Only what pods of this name held", "trainer-0")),
  job: optional(nameOf("Only what this job of a batch system held", "4711")),
  user: optional(nameOf("Only what was held for this user", "ada")),
};

/** The parameter for the `next_cursor` of a list of usage. */
const cursor = (example: Place) =>
  cursorParameter({
    ...{ maxLength: 4096, following: "the rows that follow", example },
    positionOf: (place) =>
      place.every((part, index) => typeof part === (index === 0 ? "number" : "string")) ? place : undefined,
  });

/** The parameters of requests for usage. */
export const usageQuery = {
  group_by: withDefault(choice(usageGroupings, { example: "namespace" }), "namespace"),
  step: withDefault(
    choice(usageSteps, {
      description: ({ value }) =>
        `${value("hour")} or ${value("day")}: rows for each hour or day (UTC); ${value("total")}: for the whole range`,
      example: "total",
    }),
    "total",
  ),
  ...selection,
  limit: limit({ byDefault: 1000 }),
  cursor: cursor([1_752_868_800_000, "ml-training"]),
};

/** The parameters of requests for the usage of jobs. */
export const jobQuery = {
  ended: withDefault(
    choice(["yes", "no", "all"], {
      description: ({ value }) =>
        `${value("yes")}: only those that no record has named for 15 minutes; ${value("no")}: only the others; ${value("all")}: both`,
      example: "yes",
    }),
    "all",
  ),
  ...selection,
  limit: limit({ byDefault: 1000 }),
  cursor: cursor([1_752_868_800_000, "ml-training", "trainer-0", ""]),
};

/** A part of a list, in the API's shape. */
export interface ApiUsagePage<Row> {
  readonly rows: readonly Row[];
  readonly hours: ApiHours;
  /** The cursor of the next part; undefined at the end. */
  readonly next: string | undefined;
  /** The rows of the whole list. */
  readonly total: number;
}

/** Reads the requested part of usage.
 *  @throws InvalidParameter if `start_time` is after `end_time`
 *  @throws StoreUnavailable, QueryTooCostly */
export async function usagePage(
  queries: Pick<UsageQueries, "sums">,
  values: ValuesOf<typeof usageQuery>,
  clock: Clock,
): Promise<ApiUsagePage<ReturnType<typeof toApiUsage>>> {
  const { group_by: groupBy, step } = values;
  const filter = filterOf(values, clock.nowMs());
  const rows = await queries.sums({ ...filter, groupBy, step, rowsMax });
  // the time of all rows is the beginning of the range, which may have moved since the page before
  const place = ({ timeMs, group }: (typeof rows)[number]): Place => [step === "total" ? 0 : timeMs, ...group];
  const { elements, next, total } = partOf(rows, place, values);
  return { rows: elements.map((row) => toApiUsage(row, groupBy)), hours: toApiHours(filter.range), next, total };
}

/** Reads the requested part of the usage of jobs.
 *  @throws as `usagePage` */
export async function jobPage(
  queries: Pick<UsageQueries, "jobs">,
  values: ValuesOf<typeof jobQuery>,
  clock: Clock,
): Promise<ApiUsagePage<ReturnType<typeof toApiJob>>> {
  const nowMs = clock.nowMs();
  const filter = filterOf(values, nowMs);
  const jobs = await queries.jobs({ ...filter, nowMs, rowsMax });
  const meant = jobs.filter(({ hasEnded }) => values.ended === "all" || hasEnded === (values.ended === "yes"));
  const place = ({ fromMs, namespace, pod, job }: (typeof jobs)[number]): Place => [fromMs, namespace, pod, job];
  const { elements, next, total } = partOf(meant, place, values);
  return { rows: elements.map(toApiJob), hours: toApiHours(filter.range), next, total };
}

function filterOf(values: ValuesOf<typeof selection>, nowMs: number): UsageFilter {
  const { gpu_uuid, parent_uuid, cluster_id, hostname, model, namespace, pod, job, user } = values;
  return {
    gpus: selectorOf({ gpu_uuid, parent_uuid, cluster_id, hostname, model }),
    holder: defined({ namespace, pod, job, user }),
    range: hoursBetween(values, { nowMs, windowMs: windowDefaultMs }),
  };
}

/** The rows after a place, at most `limit`. */
function partOf<Row>(
  rows: readonly Row[],
  placeOf: (row: Row) => Place,
  { cursor: after, limit: max }: { readonly cursor: Place | undefined; readonly limit: number },
): ListPage<Row> {
  const rest = after === undefined ? rows : rows.filter((row) => isAfter(placeOf(row), after));
  const elements = rest.slice(0, max);
  const last = elements.at(-1);
  const next = rest.length > max && last !== undefined ? encodeCursor(placeOf(last)) : undefined;
  return { elements, next, total: rows.length };
}

function isAfter(place: Place, other: Place): boolean {
  for (const [index, part] of place.entries()) {
    const otherPart = other[index] ?? "";
    if (part !== otherPart) return part > otherPart;
  }
  return false;
}
