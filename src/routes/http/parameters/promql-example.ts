import { readSeriesSelector } from "../../../domain/series-selector.ts";
import { seriesText } from "../../../domain/series.ts";

/** The longest name that a message repeats as an example, in characters. */
const shownMaxLength = 100;

/** A name that PromQL reads as a metric's, unless it is one of the words. */
const plainName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
/** Names that PromQL may read as something else: numbers, and the words of operators and aggregations.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/operators/ */
const words = new Set(
  (
    "inf nan and or unless atan2 by without on ignoring group_left group_right offset bool start end sum avg count min max group stddev " +
    "stdvar topk bottomk limitk limit_ratio quantile count_values"
  ).split(" "),
);

/** A metric outside the catalogue or a series, as PromQL selects it, for the example of a message.
 *  @param item as `metrics` names it, such as `my_metric`, `my_metric{}` and `{"odd}name"}`
 *  @returns undefined if the text is neither, or too long for an example */
export function promqlSelectorOf(item: string): string | undefined {
  if (item === "" || item.length > shownMaxLength) return undefined;
  const selector = readSeriesSelector(item);
  if (selector === undefined && /[{}"]/.test(item)) return undefined;
  const { metric, labels } = selector ?? { metric: item, labels: {} };
  const text = seriesText({ metric, labels });
  if (text.startsWith("{")) return text;
  const labelList = text.slice(metric.length + 1, -1);
  if (plainName.test(metric) && !words.has(metric.toLowerCase())) return labelList === "" ? metric : text;
  return `{${[JSON.stringify(metric), labelList].filter((part) => part !== "").join(",")}}`;
}
