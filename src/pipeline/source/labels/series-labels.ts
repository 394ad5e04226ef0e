import { type FieldError } from "../../../domain/field-rules.ts";
import { quoted } from "../../../domain/cut-text.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import { spellingOf } from "../../../domain/dialects/spelling-of.ts";
import { hasLabels } from "../../../domain/series-of-metric.ts";
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
  [["clock_type", "clock_index"], /gpu_(?:min_|max_)?clock/i],
  [["link_index"], /link/i],
  [["hbm_index"], /hbm/i],
  [["xcc_index"], /busy|violation/i],
  [["vcn_index"], /vcn/i],
  [["jpeg_index"], /jpeg/i],
  [["afid_index"], /afid/i],
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
  /** How the input spells a metric of the catalogue, and its unit; undefined for a metric outside the catalogue. */
  readonly spelling: Spelling | undefined;
}

/** Reads the name of a metric or of a series.
 *  @param row the labels that the rest of the input says */
export function namedSeries(name: string, row: ParsedLabels["series"] = {}): NamedSeries {
  const { metric, labels } = parseSeries(name) ?? { metric: name, labels: {} };
  return spelledSeries(metric, hasLabels(labels) ? { ...labels, ...row } : row);
}

/** The series of a metric's name and its labels. A label that is a part of the spelling, such as `clock_type` of AMD's clocks, is left
 *  out. */
function spelledSeries(name: string, labels: ParsedLabels["series"]): NamedSeries {
  const spelling = spellingOf(name);
  if (spelling !== undefined) return { metric: spelling.metricIndex, labels, spelling };
  const { [spellingLabel]: type, ...others } = labels;
  const withLabel = type === undefined ? undefined : spellingOf(seriesName(name, { [spellingLabel]: type }));
  if (withLabel === undefined) return { metric: name, labels, spelling: undefined };
  return { metric: withLabel.metricIndex, labels: others, spelling: withLabel };
}

/** The label that tells apart metrics of one name. */
const spellingLabel = "clock_type";

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
