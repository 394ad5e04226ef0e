import { metrics } from "./metrics.ts";
import { judgeCustomValue, judgeValue, meansNoNumber } from "./value.ts";
import { quoted } from "./cut-text.ts";
import type { FieldError } from "./field-rules.ts";

const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** The content of a metric's cell: a number, no value, or an error. */
export type ValueReading = number | "missing" | Pick<FieldError, "reason" | "message">;

/** Reads a metric's value: a decimal number. Surrounding white space is ignored. Hexadecimal numbers, thousands separators,
 *  units and infinities are errors.
 *  @param metric the metric's index in the catalogue, or its name if it is not in the catalogue */
export function readValue(metric: number | string, text: string): ValueReading {
  const isDecimal = decimal.test(text.trim());
  if (!isDecimal && meansNoNumber(text)) return "missing";
  const value = isDecimal ? Number(text.trim()) : NaN;
  if (!Number.isFinite(value)) {
    return {
      reason: "invalid_value",
      message: `The value ${quoted(text)} of ${metricName(metric)} is not a decimal number such as 73.136.`,
    };
  }
  const judged = judgeNumber(metric, value);
  return judged === "out_of_range" ? outOfRange(metric, text) : judged;
}

/** @returns the number to store (0 for -0), or the reason not to store it */
export function judgeNumber(metric: number | string, value: number): number | "missing" | "out_of_range" {
  const verdict = typeof metric === "number" ? judgeValue(metric, value) : judgeCustomValue(metric, value);
  if (verdict !== "ok") return verdict;
  return value === 0 ? 0 : value;
}

function outOfRange(metric: number | string, text: string): Pick<FieldError, "reason" | "message"> {
  const declared = typeof metric === "number" ? metrics[metric] : undefined;
  const range =
    declared === undefined ? "the numbers that can be stored" : `${declared.min} to ${declared.max} ${declared.unit}`;
  return {
    reason: "value_out_of_range",
    message: `The value ${quoted(text)} of ${metricName(metric)} is outside its range: ${range}.`,
  };
}

function metricName(metric: number | string): string {
  return typeof metric === "number" ? (metrics[metric]?.name ?? "") : quoted(metric);
}
