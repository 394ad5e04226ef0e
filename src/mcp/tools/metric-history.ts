import type { GatewayApi } from "../gateway-api.ts";
import { atMost, neededText, oneOf, places, time } from "../parameters.ts";
import { shown } from "../text.ts";
import { defineTool, WrongArgument } from "../tool.ts";
import { coverageLines } from "./coverage-lines.ts";
import { isSeriesOf, readOther, readSeries, type SeriesOf } from "./read-series.ts";
import { pointLines, statisticsLine } from "./series-lines.ts";

/** How a metric was over time. */
export const metricHistory = defineTool({
  name: "metric_history",
  title: "History of a metric",
  description:
    "One metric of a GPU, or its mean over a host or cluster, over a range of time: lowest, mean and highest value, first and last, how " +
    "much a counter rose, at most points values, and how many readings are missing and why. Give gpu_uuid, hostname or cluster_id.",
  input: {
    metric: neededText('A name that list_metrics has, such as temperature, or a series such as xid_errors{xid="31"}'),
    ...places,
    start_time: time("From this time; by default an hour before the end"),
    end_time: time("Up to this time; by default now"),
    resolution: oneOf(
      ["auto", "raw", "1m", "1h", "1d"],
      "Every value, or summaries by minute, hour or day (UTC); auto if left out",
    ),
    points: atMost(200, 40),
  },
  async answer({ points = 40, start_time = "-1h", resolution = "auto", ...asked }, api) {
    const { metric, gpu_uuid: uuid, hostname, cluster_id: cluster } = asked;
    if (uuid === undefined && hostname === undefined && cluster === undefined) {
      throw new WrongArgument("Give gpu_uuid, hostname or cluster_id: the history is of one of these");
    }
    const request = { ...asked, start_time, resolution };
    const { unit, kind, isKnown } = await aboutMetric(api, metric);
    const found = isKnown || uuid === undefined ? await readSeries(api, request) : await readOther(api, request, uuid);
    const coverage = await coverageLines(api, request);
    if (found.length === 0) return [`No value of ${shown(metric)} in this range.`, ...coverage].join("\n");
    const share = Math.max(1, Math.floor(points / found.length));
    const lines = found.slice(0, maxSeries).flatMap((series) => seriesLines(series, { unit, kind, share }));
    const rest = found.slice(maxSeries).map(({ name }) => shown(name));
    const others = rest.length > maxNames ? ` and ${rest.length - maxNames} more, which list_metrics names` : "";
    const names = rest.slice(0, maxNames).join(", ");
    const more = rest.length === 0 ? [] : [`${rest.length} more series in this range: ${names}${others}`];
    return [...lines, ...more, ...coverage].join("\n");
  },
});

/** A metric with labels has a series for each of their values. */
const maxSeries = 10;
/** Of the names of other series, each a question of its own. */
const maxNames = 50;

interface Form {
  readonly unit: string;
  readonly kind: string;
  readonly share: number;
}

function seriesLines({ name, of, isCut, ...series }: SeriesOf, { unit, kind, share }: Form): string[] {
  const cut = "There are older values: ask with an earlier end_time, or a coarser resolution.";
  return [
    `${shown(name)} in ${unit} of ${shown(of)}`,
    statisticsLine(series, kind === "counter"),
    ...pointLines(series.points, share),
    ...(isCut ? [cut] : []),
  ];
}

interface About {
  readonly unit: string;
  readonly kind: string;
  /** False for a metric outside the catalogue that the newest records have. */
  readonly isKnown: boolean;
}

/** What is known about a metric, by its name or a spelling. */
async function aboutMetric(api: GatewayApi, metric: string): Promise<About> {
  const [name = metric] = metric.split("{");
  const { data } = await api.get("/api/v1/metrics");
  const found = data.find((each) => each.name === name || each.spellings.includes(name));
  if (found !== undefined) return { ...found, isKnown: true };
  const reported = await api.get("/api/v1/metrics/series", { limit: 10_000 });
  const isReported = reported.data.some((series) => isSeriesOf(series.name, metric));
  // one that no record has is refused with the names that may be meant
  return { unit: "an unknown unit", kind: "gauge", isKnown: !isReported };
}
