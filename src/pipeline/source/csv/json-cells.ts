import { quoted } from "../../../domain/cut-text.ts";
import { type FieldError, invalidText, missingField } from "../../../domain/field-rules.ts";
import type { Workload } from "../../../domain/gpu.ts";
import { readMeasuredValue } from "../../../domain/measured-value.ts";
import { labelNameOf, metrics } from "../../../domain/metrics.ts";
import { hasLabels } from "../../../domain/series-of-metric.ts";
import { meansNoValue } from "../../../domain/value.ts";
import { attributeText, type LabelCell, type ParsedLabels } from "../labels/labels.ts";
import { listedWorkloads } from "../labels/listed-workloads.ts";
import type { Sample } from "../labels/sample-recorder.ts";
import { labelsAbout, namedSeries } from "../labels/series-labels.ts";

/** The name of a metric or of a labelled series, and what should be its number. */
export type ListedMetric = readonly [name: string, value: unknown];

/** What is wrong with a cell. */
export type CellError = Omit<FieldError, "field">;

/** Reads a cell that lists metrics by name, as the API's CSV and Parquet have them in `custom`: an object as JSON. */
export function metricsInCell(text: string): readonly ListedMetric[] | CellError {
  if (meansNoValue(text)) return [];
  const object = parsed(text);
  if (typeof object === "object" && object !== null && !Array.isArray(object)) return Object.entries(object);
  return notJson(text, 'an object of numbers by their names, such as {"my_metric":1}');
}

/** Reads a cell that lists the workloads that share a device: a list as JSON. */
export function workloadsInCell(text: string): readonly Workload[] | CellError {
  if (meansNoValue(text)) return [];
  return listedWorkloads(parsed(text)) ?? notJson(text, 'a list of workloads, such as [{"namespace":"ml","pod":"a"}]');
}

/** True for the cell of a record that is an average, as the API returns it with a resolution. */
export function isRollupCell(text: string): boolean {
  return text.trimStart().startsWith("{");
}

/** The error of a row that is an average. */
export function rollupError(field: string, value: string): FieldError {
  const message =
    "The record is an average over a minute, an hour or a day, not a measurement; ask for records with resolution=raw.";
  return { reason: "invalid_field", field, value, message };
}

/** What a listed metric is: a sample, a text that describes the device, no value, or an error. */
export type ListedReading = { readonly sample: Sample } | { readonly label: LabelCell } | "missing" | FieldError;

/** Reads a listed metric, as a row of the long form has it.
 *  @param field the column or member that lists it
 *  @param series the labels that the row's other cells say */
export function readListed([name, value]: ListedMetric, field: string, series: ParsedLabels["series"]): ListedReading {
  const error = name.trim() === "" ? missingField(field) : invalidText(field, name);
  if (error !== undefined) return error;
  const text = textOf(value);
  if (text === undefined) {
    const message = `The value of ${quoted(name)} in ${quoted(field)} is not a number: ${quoted(JSON.stringify(value))}.`;
    return { reason: "invalid_value", field, value: JSON.stringify(value), message };
  }
  const label = labelNameOf(name);
  if (label !== undefined) return meansNoValue(text) ? "missing" : { label: [label, attributeText(text.trim())] };
  const { metric, labels: own, spelling } = namedSeries(name);
  const about = labelsAbout(typeof metric === "number" ? (metrics[metric]?.name ?? "") : metric, series);
  const read = readMeasuredValue(spelling ?? metric, text);
  if (typeof read === "object") return { ...read, field, value: text };
  return read === "missing"
    ? read
    : { sample: { metric, labels: hasLabels(own) ? { ...own, ...about } : about, value: read } };
}

/** @returns undefined for what is neither a number nor a text */
function textOf(value: unknown): string | undefined {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? value : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notJson(value: string, expected: string): CellError {
  return { reason: "invalid_value", value, message: `The cell ${quoted(value)} is not JSON of ${expected}.` };
}
