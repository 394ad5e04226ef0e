import { metrics } from "./metrics.ts";

/** Whether a number is usable as a metric's value, means 'no value', or is impossible. */
export type ValueVerdict = "ok" | "missing" | "out_of_range";

/** DCGM's blanks: int32 from 0x7ffffff0 to the maximum, fp64 2^47, and int64 from 0x7ffffffffffffff0 to the maximum.
 *  As a double, each of these int64 is 2^63 (printed as 9223372036854776000).
 *  Source: dcgm_fields.h, DCGM_INT32_BLANK, DCGM_INT64_BLANK, DCGM_FP64_BLANK */
const int32BlankMin = 2147483632;
const int32BlankMax = 2147483647;
const int64Blank = 2 ** 63;
const fp64Blank = 2 ** 47;
/** -1 as an unsigned 32-bit integer: some inputs have this number as a percentage if the driver has no value. */
const uint32Max = 4294967295;

const textsForNoValue: ReadonlySet<string> = new Set([
  "",
  "n/a",
  "[n/a]",
  "nan",
  "[not supported]",
  "not supported",
  "[unknown error]",
  "null",
]);

/** True for the texts that mean 'no value', in upper or lower case. Surrounding blanks are ignored. */
export function meansNoValue(text: string): boolean {
  return textsForNoValue.has(text.trim().toLowerCase());
}

/** True for the numbers by which DCGM says that a metric has no value. They are the same for all metrics. */
function isBlank(value: number): boolean {
  return (value >= int32BlankMin && value <= int32BlankMax) || value === fp64Blank || value === int64Blank;
}

/** Judges a number for a catalogue metric: a blank is 'missing', and so is `uint32Max` as a percentage; any other number
 *  outside the metric's range is 'out_of_range'. A 64-bit counter may pass through a blank on its way up; that reading is
 *  counted as missing. With an index outside the catalogue, the number is judged as by `judgeCustomValue`. */
export function judgeValue(metricIndex: number, value: number): ValueVerdict {
  const metric = metrics[metricIndex];
  if (metric === undefined) return judgeCustomValue(value);
  if (isBlank(value)) return "missing";
  if (value === uint32Max && metric.unit === "percent") return "missing";
  return value >= metric.min && value <= metric.max ? "ok" : "out_of_range";
}

/** Judges a number for a metric outside the catalogue, which has no range: a blank is 'missing', and a number that is not
 *  finite is 'out_of_range'. */
export function judgeCustomValue(value: number): ValueVerdict {
  if (isBlank(value)) return "missing";
  return Number.isFinite(value) ? "ok" : "out_of_range";
}
