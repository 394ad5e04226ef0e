import type { Json } from "./every-output.ts";

// What the API's aggregates of a minute must be, computed from the records.

/** What aggregates are grouped by. */
export type Grouping = "host" | "gpu" | "namespace";

/** A gauge of the board, one of each instance, and a count that is folded. */
const metrics = ["power_draw", "memory_used_mb", "xid_errors"];
const minuteMs = 60_000;

/** The parameters of the request for aggregates of all records by the minute. */
export function aggregateQuery(records: readonly Json[], grouping: Grouping): string {
  const times = records.map(({ timestamp }) => String(timestamp)).sort();
  const range = { start_time: times[0] ?? "", end_time: times.at(-1) ?? "" };
  return new URLSearchParams({ group_by: grouping, metrics: metrics.join(","), resolution: "1m", ...range }).toString();
}

/** The groups that a record counts in, once each.
 *  @param placed the record whose host its GPU counts for */
function groupsOf(record: Json, placed: Json, grouping: Grouping): Json[] {
  if (grouping === "host") return [{ cluster_id: placed["cluster_id"], hostname: placed["hostname"] }];
  if (grouping === "gpu") return [{ uuid: record["uuid"] }];
  const occupants = (record["occupants"] ?? [record]) as readonly Json[];
  const namespaces = new Set(occupants.map(({ namespace }) => namespace ?? ""));
  return Array.from(namespaces, (namespace) => ({ namespace }));
}

const timeOf = ({ timestamp }: Json): number => Date.parse(String(timestamp));
const keyOf = (timestamp: unknown, group: unknown): string => `${String(timestamp)} ${JSON.stringify(group)}`;

/** The expected count, minimum, maximum and rounded average of each metric, by minute and group. */
export function expectedAggregates(records: readonly Json[], grouping: Grouping): Map<string, Json> {
  const inOrder = records.toSorted((a, b) => timeOf(a) - timeOf(b));
  const ofDevices = Map.groupBy(inOrder, ({ uuid }) => uuid);
  const inMinutes = inOrder.flatMap((record) => {
    const minute = Math.floor(timeOf(record) / minuteMs) * minuteMs;
    const timestamp = new Date(minute).toISOString().replace(".000Z", "Z");
    const ofDevice = ofDevices.get(record["uuid"]) ?? [];
    // a GPU that moves within a minute counts for its host at the beginning of the minute
    const placed = ofDevice.findLast((each) => timeOf(each) <= minute) ?? ofDevice[0] ?? record;
    return groupsOf(record, placed, grouping).map((group) => ({ key: keyOf(timestamp, group), record }));
  });
  const byKey = [...Map.groupBy(inMinutes, ({ key }) => key)].map(([key, members]): [string, Json] => {
    const summaries = metrics.flatMap((metric) => {
      const values = members.flatMap(({ record }) => (metric in record ? [Number(record[metric])] : []));
      return values.length === 0 ? [] : [[metric, summaryOf(values)]];
    });
    return [key, Object.fromEntries(summaries) as Json];
  });
  return new Map(byKey.filter(([, summary]) => Object.keys(summary).length > 0));
}

function summaryOf(values: readonly number[]): Json {
  const avg = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { count: values.length, min: Math.min(...values), max: Math.max(...values), avg: rounded(avg) };
}

/** Sums of doubles depend on their order in the last digits. */
const rounded = (value: number): number => Number(value.toPrecision(12));

/** The aggregates of an answer, by minute and group, with rounded averages. */
export function aggregatesByKey(rows: readonly Json[]): Map<string, Json> {
  return new Map(
    rows.map(({ timestamp, group, metrics: summaries }) => {
      const entries = Object.entries(summaries as Readonly<Record<string, { readonly avg: number }>>);
      const ofMetrics = entries.map(([name, summary]) => [name, { ...summary, avg: rounded(summary.avg) }]);
      return [keyOf(timestamp, group), Object.fromEntries(ofMetrics) as Json];
    }),
  );
}
