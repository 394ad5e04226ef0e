import { type FieldError } from "../../../domain/field-rules.ts";
import { quoted } from "../../../domain/cut-text.ts";
import { metricIndexOf } from "../../../domain/metrics.ts";
import { hasLabels } from "../../../domain/series-of-metric.ts";
import { parseSeries, seriesNameMaxLength } from "../../../domain/series.ts";
import type { ParsedLabels } from "./labels.ts";

/** The labels that belong to certain metrics only, and a pattern for the names of these metrics. */
const subjects: readonly (readonly [labels: readonly string[], names: RegExp])[] = [
  [["xid"], /xid/i],
  [["nvlink"], /nvlink/i],
  [["clock_event"], /clocks?_?event/i],
  [["window_size_in_ms"], /xid|clocks?_?event/i],
  [["health_watch", "health_error_code"], /health/i],
  [["peer_gpu", "link_status"], /p2p/i],
];

/** True if the label can tell apart series of the metric. A row of the long form has one metric, so its labels are about that one;
 *  in a wide row, a label such as xid is not about the temperature. */
export function isAbout(label: string, metric: string): boolean {
  const [, names] = subjects.find(([labels]) => labels.includes(label)) ?? [];
  return names === undefined || names.test(metric);
}

/** What a name in an input says: that of a metric, or of a series such as `xid_errors{xid="31"}`. */
export interface NamedSeries {
  /** The metric's index in the catalogue, or its name if it is not in the catalogue. */
  readonly metric: number | string;
  readonly labels: ParsedLabels["series"];
}

/** Reads the name of a metric or of a series. */
export function namedSeries(name: string): NamedSeries {
  const { metric, labels } = parseSeries(name) ?? { metric: name, labels: {} };
  return { metric: metricIndexOf(metric) ?? metric, labels };
}

/** The error of a series whose name is too long; undefined if the length is allowed. A name that is cut could be that of another
 *  series.
 *  @param field the column of the value */
export function longSeriesName(field: string, name: string): FieldError | undefined {
  if (name.length <= seriesNameMaxLength) return undefined;
  const message = `The series ${quoted(name)} has a name of ${name.length} characters, with its labels; at most ${seriesNameMaxLength} are allowed.`;
  return { reason: "invalid_field", field, value: name, message };
}

/** The labels of a wide row that are about a metric. */
export function labelsAbout(metric: string, labels: ParsedLabels["series"]): ParsedLabels["series"] {
  if (!hasLabels(labels)) return labels;
  return Object.fromEntries(Object.entries(labels).filter(([label]) => isAbout(label, metric)));
}
