import { type Metric, metrics } from "./metrics.ts";

/** Whether a number is usable as a metric's value, means 'no value', or is impossible. */
export type ValueVerdict = "ok" | "missing" | "out_of_range";

/** DCGM's blanks: numbers that mean 'no value' in a field of their width. Each width has four with a name (blank, not found,
 *  not supported, not permissioned). DCGM accepts every int32 from the first int32 blank up as a blank.
 *  Source: dcgm_fields.h, DCGM_INT32_BLANK, DCGM_INT64_BLANK, DCGM_FP64_BLANK */
const int32BlankMin = 0x7ffffff0;
const int32BlankMax = 0x7fffffff;
const fp64BlankMin = 2 ** 47;
const fp64BlankMax = 2 ** 47 + 3;
/** The int64 blanks begin at 0x7ffffffffffffff0, and are all 2^63 as a double. Some programs print them with fewer digits, such
 *  as 9.22337203685478E+18 (Excel) or 9.22337e+18 (printf). No counter is known to get that far. */
const int64BlankMin = 9.22337e18;
const int64BlankMax = 9.22338e18;
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

/** True for the texts that mean 'no value', in upper or lower case. Surrounding white space is ignored. */
export function meansNoValue(text: string): boolean {
  return textsForNoValue.has(text.trim().toLowerCase());
}

/** What programs write for a number that they do not have: NVIDIA's tools, pandas, spreadsheets, databases, C's printf. */
const textsForNoNumber: ReadonlySet<string> = new Set([
  ...["-", "--", "?", "err", "err!", "error", "unknown", "unavailable", "undefined", "none", "nil", "na", "n/s", "nat"],
  ...["unknown error", "function not found", "not found", "not available", "insufficient permissions", "no data"],
  ...["gpu is lost", "gpu requires reset", "requested functionality has been deprecated"],
  ...["-nan", "+nan", "nan(ind)", "-nan(ind)", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "\\n"],
  ...["#n/a", "#n/a n/a", "#na", "#null!", "#ref!", "#value!", "#name?", "#num!", "#div/0!"],
]);
/** A reason in brackets, such as nvidia-smi's `[GPU requires reset]`, or pandas' `<NA>`. */
const reasonInBrackets = /^(?:\[[^\d[\]]+\]|<[^\d<>]+>|\([^\d()]+\))$/;

/** True for the texts that mean 'no value' in the cell of a number. More texts than `meansNoValue`: a pod may be named `none`. */
export function meansNoNumber(text: string): boolean {
  const plain = text.trim().toLowerCase();
  return textsForNoValue.has(plain) || textsForNoNumber.has(plain) || reasonInBrackets.test(plain);
}

const isInt32Blank = (value: number): boolean =>
  value >= int32BlankMin && value <= int32BlankMax && Number.isInteger(value);
const isFp64Blank = (value: number): boolean =>
  value >= fp64BlankMin && value <= fp64BlankMax && Number.isInteger(value);
const isInt64Blank = (value: number): boolean => value >= int64BlankMin && value <= int64BlankMax;
/** True for DCGM's blanks of any width. */
export const isAnyBlank = (value: number): boolean => isInt32Blank(value) || isFp64Blank(value) || isInt64Blank(value);

/** Whether a number is a blank in a field of each width. A number that is too wide for the field must be the blank of a wider
 *  field, because exporters widen and convert. The blank of a narrower field may be a value. */
export const isBlankOf: Readonly<Record<Metric["width"], (value: number) => boolean>> = {
  int32: isAnyBlank,
  fp64: (value) => isFp64Blank(value) || isInt64Blank(value),
  int64: isInt64Blank,
};

/** Names of metrics outside the catalogue that count in 64 bits. A total of memory (DCGM_FI_DEV_FB_TOTAL) is no count. */
const wideName =
  /(?:^|[^a-z])(?:bytes|energy|joules|consumption|packets|ns|nanoseconds|violation|(?<!(?:fb|bar1|mem|memory)[^a-z])total)(?:$|[^a-z])/i;
const utilizationName = /util/i;

/** Judges a number for a catalogue metric. In the metric's range, a blank (see `isBlankOf`) is 'missing', and any other number
 *  is 'ok'. Outside the range, a blank of any width and `uint32Max` as a percentage are 'missing'; any other number is
 *  'out_of_range'.
 *  @param metricIndex an index of `metrics` */
export function judgeValue(metricIndex: number, value: number): ValueVerdict {
  const { min, max, width, unit } = metrics[metricIndex] as Metric;
  if (value >= min && value <= max) return value >= int32BlankMin && isBlankOf[width](value) ? "missing" : "ok";
  return isAnyBlank(value) || (value === uint32Max && unit === "percent") ? "missing" : "out_of_range";
}

/** Judges a number for a metric outside the catalogue, which has no range and no known width. Blanks of all widths are 'missing',
 *  but those of int32 are 'ok' if the name is that of a 64-bit counter. `uint32Max` is 'missing' if the name is that of a
 *  utilization. A number that is not finite is 'out_of_range'.
 *  @param name followed by its labels in braces if it names a labelled series */
export function judgeCustomValue(name: string, value: number): ValueVerdict {
  if (!Number.isFinite(value)) return "out_of_range";
  if (value < int32BlankMin) return "ok";
  const [plainName = ""] = name.split("{", 1);
  if (isInt32Blank(value)) return wideName.test(plainName) ? "ok" : "missing";
  const isMissing =
    isFp64Blank(value) || isInt64Blank(value) || (value === uint32Max && utilizationName.test(plainName));
  return isMissing ? "missing" : "ok";
}
