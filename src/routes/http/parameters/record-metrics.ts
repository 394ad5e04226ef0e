import { quoted } from "../../../domain/cut-text.ts";
import { metricSpellings } from "../../../domain/dialects/spelling-of.ts";
import { type MetricChoice, readMetricChoice } from "../../../domain/metric-choice.ts";
import { splitNames } from "../../../domain/series-selector.ts";
import { maxMetrics } from "./common.ts";
import { emptyList, notUsable, optional, type Parameter, type Read, text } from "./parameter.ts";
import { unknownName } from "./unknown-name.ts";

/** The longest list of metrics and series, in characters: the longest selector fits. */
export const namesMaxLength = 4096;
const example = 'xid_errors{xid="31"}';

const { kind, schema, description } = text({
  maxLength: namesMaxLength,
  description:
    `Names or spellings from /api/v1/metrics, and series such as ${example}, separated by commas; only these are returned, under ` +
    "the names of the catalogue; default all. " +
    "A name gives the plain value alone. A series gives each series of the metric that has these labels, and " +
    "xid_errors{} all series of xid_errors; /api/v1/metrics/series lists them with their selectors. Likewise, NAME{} gives a metric " +
    "outside the catalogue, which a record has in custom",
  example: "temperature,power_draw",
});

/** The parameter for the metrics of records: names of the catalogue, and series. A comma within braces does not end a name. */
export const recordMetrics: Parameter<MetricChoice | undefined> = optional({
  kind,
  schema,
  description,
  expected: `1 to ${maxMetrics} names from /api/v1/metrics or series such as ${example}, separated by commas`,
  read: readChoice,
  absent: undefined,
});

function readChoice(given: string): Read<MetricChoice> {
  if (given === "") return emptyList;
  if (given.length > namesMaxLength) return notUsable;
  const items = [...new Set(splitNames(given))];
  const choice = readMetricChoice(items);
  if ("unknown" in choice) return { problem: unknownMetric(choice.unknown) };
  return items.length <= maxMetrics ? { value: choice } : { problem: `it has ${items.length} names` };
}

/** The sentence about a name that is no metric of the catalogue: which one may be meant, and how a metric outside the catalogue is selected,
 *  such as one that a sender misspells. */
export function unknownMetric(name: string): string {
  const own = name.includes("{") ? "" : `; a metric outside the catalogue is selected as ${quoted(`${name}{}`)}`;
  return `${unknownName("metric", name, metricSpellings)}${own}`;
}
