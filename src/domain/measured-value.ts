import { quoted } from "./cut-text.ts";
import { judgeReading } from "./dialects/judge-reading.ts";
import type { Spelling } from "./dialects/spelling.ts";
import { spellingOf } from "./dialects/spelling-of.ts";
import { isUnit, scaleOfUnit, unitsFor } from "./dialects/units.ts";
import { type Metric, metrics } from "./metrics.ts";
import { meansNoNumber } from "./value.ts";
import { readValue, type ValueReading } from "./value-text.ts";

const numberAndUnit = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?) ?([%°µμa-z][a-z/ ]*)$/i;

const unitsOfMetrics: ReadonlySet<string> = new Set(metrics.map(({ unit }) => unit));

/** `N/A W`, `nan %` */
const noNumberAndUnit = /^(\S.*) ([%°µμa-z][a-z/]*)$/i;

/** Reads the cell of a metric as `readValue` does, or a number with a unit, such as `85 %` or `1.5GiB`. The unit is the metric's own,
 *  or one that is converted without a loss; it takes precedence over the unit that a spelling of the metric has.
 *  @returns the value in the unit of the catalogue's metric */
export function readMeasuredValue(metric: number | string | Spelling, text: string): ValueReading {
  const read = readValue(metric, text);
  if (typeof read !== "object" || read.reason !== "invalid_value") return read;
  const [, digits, unit] = numberAndUnit.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined) return isNoNumber(metric, text) ? "missing" : read;
  if (!isUnit(unit) && !unitsOfMetrics.has(unit)) return read;
  const spelling = typeof metric === "number" ? (spellingOf(metrics[metric]?.name ?? "") ?? "") : metric;
  if (typeof spelling === "string") return unknownUnit(spelling, text, unit);
  const declared = metrics[spelling.metricIndex];
  const scale = scaleOfUnit(declared?.unit ?? "", unit);
  if (declared === undefined || scale === undefined) return otherUnit(spelling, text, unit);
  const value = judgeReading({ ...spelling, scale, isAmbiguous: false }, Number(digits));
  if (typeof value === "number" || value === "missing") return value;
  const range = `${declared.min} to ${declared.max} ${declared.unit}`;
  const message = `The value ${quoted(text)} of ${declared.name} is outside its range: ${range}.`;
  return { reason: "value_out_of_range", message };
}

/** True for a text without a value in front of a unit of the metric. */
function isNoNumber(metric: number | string | Spelling, text: string): boolean {
  const [, before, unit] = noNumberAndUnit.exec(text.trim()) ?? [];
  if (before === undefined || unit === undefined || typeof metric === "string") return false;
  return meansNoNumber(before) && scaleOfUnit(metricOf(metric)?.unit ?? "", unit) !== undefined;
}

function metricOf(metric: number | string | Spelling): Metric | undefined {
  return metrics[typeof metric === "number" ? metric : typeof metric === "object" ? metric.metricIndex : -1];
}

function otherUnit({ metricIndex }: Spelling, text: string, unit: string): ValueReading {
  const { name = "", unit: own = "" } = metrics[metricIndex] ?? {};
  const units = unitsFor(own);
  const advice = units === "" ? `write the number alone (${own})` : `write it in ${units}, or alone in ${own}`;
  const message = `The value ${quoted(text)} of ${name} has the unit ${quoted(unit)}, which is not converted; ${advice}.`;
  return { reason: "invalid_value", message };
}

function unknownUnit(name: string, text: string, unit: string): ValueReading {
  const message = `The value ${quoted(text)} of ${quoted(name)} has the unit ${quoted(unit)}, but no unit is known for this metric; write the number alone.`;
  return { reason: "invalid_value", message };
}
