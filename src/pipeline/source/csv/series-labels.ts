import { type FieldError } from "../../../domain/field-rules.ts";
import { quoted } from "../../../domain/cut-text.ts";
import { metricIndexOf, metrics } from "../../../domain/metrics.ts";
import { parseSeries, seriesName, seriesNameMaxLength } from "../../../domain/series.ts";
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

/** The name of the series to which a value belongs.
 *  @param metric the metric's index in the catalogue, or its name if it is not in the catalogue
 *  @param labels the series labels that apply to the metric
 *  @returns undefined if the value belongs to the metric itself, without labels */
export function seriesNameOf(metric: number | string, labels: ParsedLabels["series"]): string | undefined {
  if (!hasLabels(labels)) return undefined;
  const declared = typeof metric === "number" ? metrics[metric] : undefined;
  // a virtual GPU has no power draw of its own: the board's value is repeated
  const names = Object.keys(labels).filter((label) => declared?.scope !== "board" || label !== "vgpu");
  if (names.length === 0) return undefined;
  const applied = Object.fromEntries(names.map((name) => [name, labels[name] ?? ""]));
  return seriesName(declared?.name ?? String(metric), applied);
}

/** The labels of a wide row that are about a metric. */
export function labelsAbout(metric: string, labels: ParsedLabels["series"]): ParsedLabels["series"] {
  if (!hasLabels(labels)) return labels;
  return Object.fromEntries(Object.entries(labels).filter(([label]) => isAbout(label, metric)));
}

/** True if there is any label. Most rows have none, so this makes no list of the names. */
export function hasLabels(labels: ParsedLabels["series"]): boolean {
  for (const name in labels) if (name !== "") return true;
  return false;
}
