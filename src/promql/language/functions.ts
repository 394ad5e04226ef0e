import type { ValueType } from "./expression.ts";

/** What a function takes and returns. */
export interface Signature {
  readonly takes: readonly ValueType[];
  /** How many of the last arguments may be left out. */
  readonly optional: number;
  /** True: the last argument may be repeated. */
  readonly isVariadic: boolean;
  readonly returns: ValueType;
}

function signature(returns: ValueType, ...takes: readonly ValueType[]): Signature {
  return { takes, returns, optional: 0, isVariadic: false };
}

const ofRange = signature("vector", "matrix");
const ofVector = signature("vector", "vector");

const named = <Name extends string>(of: Signature, ...names: readonly Name[]) =>
  names.map((name) => [name, of] as const);

/** The functions that are supported, by name.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/functions/ */
export const functions: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ...named(ofRange, "rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets"),
  ...named(ofRange, "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time"),
  ...named(ofRange, "last_over_time", "stddev_over_time", "stdvar_over_time", "present_over_time", "absent_over_time"),
  ["quantile_over_time", signature("vector", "scalar", "matrix")],
  ...named(ofVector, "absent", "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn"),
  ...named(ofVector, "timestamp", "sort", "sort_desc"),
  ["round", { ...signature("vector", "vector", "scalar"), optional: 1 }],
  ["clamp", signature("vector", "vector", "scalar", "scalar")],
  ...named(signature("vector", "vector", "scalar"), "clamp_min", "clamp_max"),
  ["scalar", signature("scalar", "vector")],
  ["vector", signature("vector", "scalar")],
  ["time", signature("scalar")],
  ["label_replace", signature("vector", "vector", "string", "string", "string", "string")],
  ["label_join", { ...signature("vector", "vector", "string", "string", "string"), optional: 1, isVariadic: true }],
]);

/** Functions of Prometheus that are not supported, to tell them from misspelled ones. */
export const otherFunctions: ReadonlySet<string> = new Set([
  ...[
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cos",
    "cosh",
    "sin",
    "sinh",
    "tan",
    "tanh",
    "deg",
    "rad",
    "pi",
  ],
  ...["days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year"],
  ...["histogram_avg", "histogram_count", "histogram_fraction", "histogram_quantile", "histogram_quantiles"],
  ...["histogram_stddev", "histogram_stdvar", "histogram_sum", "holt_winters", "double_exponential_smoothing"],
  ...["first_over_time", "mad_over_time", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time"],
  ...["ts_of_min_over_time", "predict_linear", "info", "sort_by_label", "sort_by_label_desc", "start_timestamp"],
  ...["start", "end", "step", "range"],
]);
