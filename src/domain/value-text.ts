import { judgeReading } from "./dialects/judge-reading.ts";
import type { Spelling } from "./dialects/spelling.ts";
import { type Metric, metrics } from "./metrics.ts";
import { judgeCustomValue, judgeValue, meansNoNumber } from "./value.ts";
import { quoted } from "./cut-text.ts";
import type { FieldError } from "./field-rules.ts";

/** A decimal number, without white space around it. */
export const decimalNumber = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A number with decimal or thousands commas, perhaps with a unit. */
const numberWithComma = /^[+-]?[\d.]*\d,\d[\d.,]*(?: ?[%°a-z/]+)?$/i;

/** A number with separators of thousands, such as `1.234,56` or `1,234,567`. */
const numberWithThousands =
  /^[+-]?\d{1,3}(?:(?:\.\d{3})+,\d+|(?:,\d{3})+\.\d+|(?:\.\d{3}){2,}|(?:,\d{3}){2,})(?: ?[%°a-z/]+)?$/i;

/** An infinity, without white space around it. */
export const infinityText = /^[+-]?inf(?:inity)?$/i;

/** The content of a metric's cell: a number, no value, or an error. */
export type ValueReading = number | "missing" | Pick<FieldError, "reason" | "message">;

/** Reads a metric's value: a decimal number. Surrounding white space is ignored. Hexadecimal numbers, thousands separators,
 *  units (see `readMeasuredValue`) and infinities are errors.
 *  @param metric the metric's index in the catalogue, its spelling in the input, or its name if it is not in the catalogue
 *  @returns the value in the unit of the catalogue's metric */
export function readValue(metric: number | string | Spelling, text: string): ValueReading {
  const isDecimal = decimalNumber.test(text.trim());
  if (!isDecimal && meansNoNumber(text)) return "missing";
  const value = isDecimal ? Number(text.trim()) : NaN;
  if (!Number.isFinite(value)) {
    return {
      reason: "invalid_value",
      message: `The value ${quoted(text)} of ${metricName(metric)} ${problemOf(text)}.`,
    };
  }
  const judged = typeof metric === "object" ? judgeReading(metric, value) : judgeNumber(metric, value);
  if (judged === "undecided") return undecidedUnit(metric, text);
  return judged === "out_of_range" ? outOfRange(metric, text) : judged;
}

/** What is wrong with a text that is no finite number. */
function problemOf(text: string): string {
  if (infinityText.test(text.trim())) return "is not finite; only finite numbers are stored";
  if (decimalNumber.test(text.trim())) return "is beyond the range of a double, which ends at 1.8e308";
  if (numberWithThousands.test(text.trim()))
    return "has separators of thousands; write it without them, such as 1234.5";
  if (numberWithComma.test(text.trim())) {
    return "has a comma, which is a decimal point only in a file whose columns are separated by semicolons; write 1234.5";
  }
  return "is not a decimal number such as 73.136";
}

/** @returns the number to store (0 for -0), or the reason not to store it */
export function judgeNumber(metric: number | string, value: number): number | "missing" | "out_of_range" {
  const verdict = typeof metric === "number" ? judgeValue(metric, value) : judgeCustomValue(metric, value);
  if (verdict !== "ok") return verdict;
  return value === 0 ? 0 : value;
}

/** The error of a number outside the range of its metric.
 *  @param text the number in the unit of the input */
function outOfRange(metric: number | string | Spelling, text: string): Pick<FieldError, "reason" | "message"> {
  const declared = declaredOf(metric);
  const range =
    declared === undefined ? "the numbers that can be stored" : `${declared.min} to ${declared.max} ${declared.unit}`;
  if (typeof metric === "object" && metric.scale.factor !== 1) {
    const converted = `${metric.scale.convert(Number(text))} ${declared?.unit}`;
    const message = `The value ${quoted(text)} of ${metric.name} is ${converted}, outside the range of ${declared?.name}: ${range}.`;
    return { reason: "value_out_of_range", message };
  }
  return {
    reason: "value_out_of_range",
    message: `The value ${quoted(text)} of ${metricName(metric)} is outside its range: ${range}.`,
  };
}

/** The error of a number that may be a percentage or a ratio. */
function undecidedUnit(metric: number | string | Spelling, text: string): Pick<FieldError, "reason" | "message"> {
  return {
    reason: "invalid_value",
    message:
      `The value ${quoted(text)} of ${metricName(metric)} may be a percentage (DCGM 4.6) or a ratio (from DCGM 4.7), and nothing ` +
      "else in the input tells which; DCGM_FI_DEV_GPU_UTIL is always a percentage.",
  };
}

function declaredOf(metric: number | string | Spelling): Metric | undefined {
  return metrics[typeof metric === "object" ? metric.metricIndex : typeof metric === "number" ? metric : -1];
}

function metricName(metric: number | string | Spelling): string {
  if (typeof metric === "string") return quoted(metric);
  const isConverted = typeof metric === "object" && (metric.isAmbiguous || metric.scale.factor !== 1);
  return isConverted ? metric.name : (declaredOf(metric)?.name ?? "");
}
