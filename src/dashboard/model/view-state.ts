import { type MetricKey, metricKeys } from "./metric.ts";

/** The columns by which the table can be sorted. */
export const sortKeys = ["host", "index", "model", ...metricKeys, "holder", "age"] as const;
export type SortKey = (typeof sortKeys)[number];

/** The order of the table. */
export interface Sort {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

/** What a person has chosen on the fleet page. The query of its URL holds it, so that a view can be sent to a colleague. */
export interface ViewState {
  readonly metric: MetricKey;
  readonly search: string;
  readonly sort: Sort;
}

const defaultState: ViewState = {
  metric: "gpu_utilization",
  search: "",
  sort: { key: "host", isDescending: false },
};

/** Reads the query of a URL. A value that means nothing here counts as absent. */
export function viewStateOf(query: string): ViewState {
  const given = new URLSearchParams(query);
  const metric = metricKeys.find((key) => key === given.get("metric")) ?? defaultState.metric;
  return { metric, search: given.get("search") ?? "", sort: sortOf(given.get("sort") ?? "") };
}

/** The query for a state, with its question mark; empty for the state in which the page opens. */
export function queryOf({ metric, search, sort }: ViewState): string {
  const query = new URLSearchParams();
  if (metric !== defaultState.metric) query.set("metric", metric);
  if (search.trim() !== "") query.set("search", search.trim());
  const order = `${sort.isDescending ? "-" : ""}${sort.key}`;
  if (order !== defaultState.sort.key) query.set("sort", order);
  return query.size === 0 ? "" : `?${query.toString()}`;
}

/** The order after a click on a column's header: numbers begin with the highest one, and a second click turns the order round. */
export function sortedBy(key: SortKey, { key: before, isDescending }: Sort): Sort {
  if (key === before) return { key, isDescending: !isDescending };
  return { key, isDescending: (metricKeys as readonly string[]).includes(key) };
}

function sortOf(text: string): Sort {
  const isDescending = text.startsWith("-");
  const key = sortKeys.find((each) => each === (isDescending ? text.slice(1) : text));
  return key === undefined ? defaultState.sort : { key, isDescending };
}
