import { addTime, isMoving, rangeMs, type RangeName, type TimeChoice, timeIn } from "./time-choice.ts";
import { figureKeys, type UsageGroup, usageGroups, type UsageSort } from "./usage-figures.ts";

export const usageGroupNames = Object.keys(usageGroups) as UsageGroup[];

/** The ranges of the page of namespaces. */
export const usageRanges: readonly RangeName[] = ["1h", "1d", "7d", "30d"];
const defaultRange: RangeName = "1d";
const hourMs = rangeMs["1h"];

/** Whose usage is shown; empty: everyone's. */
export type HolderFilter = Readonly<Partial<Record<UsageGroup, string>>>;

/** Those who waste most come first. */
const defaultSort: UsageSort = { key: "idle", isDescending: true };
const sortKeys = ["name", ...figureKeys] as const;

/** What a person has chosen on the page of namespaces. */
export interface UsageState {
  readonly time: TimeChoice;
  readonly by: UsageGroup;
  readonly holder: HolderFilter;
  readonly sort: UsageSort;
}

/** Reads the query of the URL. A value that means nothing here counts as absent. */
export function usageStateOf(query: string): UsageState {
  const given = new URLSearchParams(query);
  const holder = usageGroupNames.flatMap((name) => {
    const value = given.get(name) ?? "";
    return value === "" ? [] : [[name, value] as const];
  });
  return {
    time: timeIn(given, usageRanges, defaultRange),
    by: usageGroupNames.find((each) => each === given.get("by")) ?? "namespace",
    holder: Object.fromEntries(holder),
    sort: sortOf(given.get("sort") ?? ""),
  };
}

/** The query of the URL for a state. */
export function usageQueryOf({ time, by, holder, sort }: UsageState): string {
  const query = new URLSearchParams();
  if (by !== "namespace") query.set("by", by);
  for (const name of usageGroupNames) if (holder[name] !== undefined) query.set(name, holder[name]);
  addTime(query, time, defaultRange);
  const order = `${sort.isDescending ? "-" : ""}${sort.key}`;
  if (order !== `-${defaultSort.key}`) query.set("sort", order);
  return query.size === 0 ? "" : `?${query.toString()}`;
}

/** The order after a click on a column's header: numbers begin with the highest one, and a second click turns the order round. */
export function usageSortedBy(key: UsageSort["key"], before: UsageSort): UsageSort {
  return { key, isDescending: key === before.key ? !before.isDescending : key !== "name" };
}

/** Whole hours (UTC), as usage has them. */
export interface UsageHours {
  readonly fromMs: number;
  /** Undefined: until now. */
  readonly toMs: number | undefined;
}

/** The hours of a choice, with those that begin before it or end after it. */
export function usageHours(time: TimeChoice, nowMs: number): UsageHours {
  const fromMs = isMoving(time) ? nowMs - rangeMs[time] : time.fromMs;
  return {
    fromMs: Math.floor(fromMs / hourMs) * hourMs,
    toMs: isMoving(time) ? undefined : Math.ceil(time.toMs / hourMs) * hourMs,
  };
}

function sortOf(text: string): UsageSort {
  const isDescending = text.startsWith("-");
  const key = sortKeys.find((each) => each === (isDescending ? text.slice(1) : text));
  return key === undefined ? defaultSort : { key, isDescending };
}
