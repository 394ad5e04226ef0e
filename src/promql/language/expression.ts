import type { Matcher } from "../matcher.ts";

/** The types of values.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#expression-language-data-types */
export type ValueType = "scalar" | "vector" | "matrix" | "string";

/** The instant of an @ modifier. */
export type At = { readonly atMs: number } | "start" | "end";

/** Selects the newest sample of series. */
export interface SelectorExpression {
  readonly kind: "selector";
  readonly matchers: readonly Matcher[];
  readonly offsetMs: number;
  readonly at: At | undefined;
}

/** Selects the samples of series in a range. */
export interface RangeExpression {
  readonly kind: "range";
  readonly selector: SelectorExpression;
  readonly rangeMs: number;
}

/** The operators of aggregations. */
export const aggregations = [
  ...["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"],
  ...["topk", "bottomk", "quantile", "count_values"],
] as const;
export type Aggregation = (typeof aggregations)[number];

/** Makes one value of those of each group of series. */
export interface AggregateExpression {
  readonly kind: "aggregate";
  readonly operator: Aggregation;
  readonly isWithout: boolean;
  readonly labels: readonly string[];
  readonly parameter: Expression | undefined;
  readonly operand: Expression;
}

/** The operators between two values. */
export const arithmetic = ["+", "-", "*", "/", "%", "^", "atan2"] as const;
export const comparisons = ["==", "!=", ">", "<", ">=", "<="] as const;
export const setOperators = ["and", "or", "unless"] as const;
export type Arithmetic = (typeof arithmetic)[number];
export type Comparison = (typeof comparisons)[number];
export type SetOperator = (typeof setOperators)[number];

/** Which series of two vectors belong together. */
export interface Matching {
  readonly isOn: boolean;
  readonly labels: readonly string[];
  readonly grouping: "one-to-one" | "group_left" | "group_right";
  /** The labels that the many get from the one. */
  readonly include: readonly string[];
}

/** Two values with an operator between them. */
export interface BinaryExpression {
  readonly kind: "binary";
  readonly operator: Arithmetic | Comparison | SetOperator;
  readonly isBool: boolean;
  readonly matching: Matching;
  readonly left: Expression;
  readonly right: Expression;
}

/** The call of a function. */
export interface CallExpression {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expression[];
}

/** A query, or a part of one. Parentheses are left out. */
export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | SelectorExpression
  | RangeExpression
  | { readonly kind: "negation"; readonly operand: Expression }
  | AggregateExpression
  | BinaryExpression
  | CallExpression;
