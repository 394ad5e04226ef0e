import { ascending, descending } from "./evaluation/extremes.ts";
import { Evaluation } from "./evaluation/evaluate.ts";
import { instantsOf, neededRange, samplesOf } from "./evaluation/select.ts";
import { type Steps, stepMsOf, type VectorSeries } from "./evaluation/value.ts";
import type { Expression, RangeExpression, SelectorExpression } from "./language/expression.ts";
import { typeOf } from "./language/check.ts";
import { parse } from "./language/parse.ts";
import { type Labels, noLabels, sortedByLabels } from "./labels.ts";
import { badData } from "./promql-error.ts";
import type { SelectedSeries, SeriesSource } from "./series-source.ts";
import type { Work } from "./work.ts";

/** A value at an instant. */
export interface Point {
  readonly timeMs: number;
  readonly value: number;
}

/** The values of a series in the order of their instants, in columns of the same length. */
export interface Points {
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
}

/** The answer to a query. `isCut`: there are more series than were wanted. */
export type QueryResult =
  | { readonly type: "scalar"; readonly point: Point }
  | { readonly type: "string"; readonly timeMs: number; readonly text: string }
  | {
      readonly type: "vector";
      readonly series: readonly { readonly labels: Labels; readonly point: Point }[];
      readonly isCut: boolean;
    }
  | {
      readonly type: "matrix";
      readonly series: readonly { readonly labels: Labels; readonly points: Points }[];
      readonly isCut: boolean;
    };

/** Where a query is answered from, and what it may cost. */
export interface QueryParts {
  readonly source: SeriesSource;
  readonly work: Work;
  /** How long a sample counts if none follows; absent: 5 minutes, as in Prometheus. */
  readonly lookbackMs?: number | undefined;
  /** How many series are wanted; absent or 0: all. */
  readonly limit?: number | undefined;
}

const defaultLookbackMs = 300_000;

/** The most steps that a query may have. */
const stepsMax = 11_000;

/** Evaluates a query at one instant.
 *  @throws PromqlError, and the errors of the source */
export async function instantQuery(query: string, atMs: number, parts: QueryParts): Promise<QueryResult> {
  const expression = parse(query);
  const { lookbackMs = defaultLookbackMs } = parts;
  const steps: Steps = { startMs: atMs, endMs: atMs, stepMs: 1, count: 1, lookbackMs };
  const selected = await selectAll(expression, steps, parts);
  if (expression.kind === "range") return rawSamples(expression, selected.get(expression) ?? [], { steps, parts });
  const value = await new Evaluation(steps, selected, parts.work).evaluate(expression);
  if (value.kind === "string") return { type: "string", timeMs: atMs, text: value.text };
  const pointOf = (values: Float64Array): Point => ({ timeMs: atMs, value: values[0] ?? NaN });
  if (value.kind === "scalar") return { type: "scalar", point: pointOf(value.values) };
  const order = orderOf(expression);
  const all = value.series.slice();
  if (order !== undefined) all.sort((a, b) => order(a.values[0] ?? NaN, b.values[0] ?? NaN));
  const { series, isCut } = limited(all, parts);
  parts.work.checkAnswer({ series: series.length, values: series.length });
  return { type: "vector", series: series.map(({ labels, values }) => ({ labels, point: pointOf(values) })), isCut };
}

/** Evaluates a query at each step from one instant to another, both included.
 *  @throws PromqlError, and the errors of the source */
export async function rangeQuery(
  query: string,
  { startMs, endMs, stepMs }: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
  parts: QueryParts,
): Promise<QueryResult> {
  const { lookbackMs = defaultLookbackMs } = parts;
  const steps: Steps = { startMs, endMs, stepMs, count: Math.floor((endMs - startMs) / stepMs) + 1, lookbackMs };
  if (steps.count > stepsMax + 1) {
    throw badData(
      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    );
  }
  const expression = parse(query);
  const type = typeOf(expression);
  if (type === "string" || type === "matrix") {
    throw badData(`invalid expression type "${type}" for range query, must be Scalar or instant Vector`);
  }
  const selected = await selectAll(expression, steps, parts);
  const value = await new Evaluation(steps, selected, parts.work).evaluate(expression);
  if (value.kind === "string") throw badData("a text has no range");
  const all = value.kind === "vector" ? value.series : [scalarSeries(value.values)];
  parts.work.checkAnswer({ series: all.length, values: all.length * steps.count });
  const { series, isCut } = limited(sortedByLabels(all), parts);
  const made = series.map((each) => ({ labels: each.labels, points: pointsOf(each, steps) }));
  return { type: "matrix", series: made, isCut };
}

/** The first series, as many as are wanted. */
function limited<Series>(series: readonly Series[], { limit = 0 }: QueryParts) {
  const isCut = limit > 0 && series.length > limit;
  return { series: isCut ? series.slice(0, limit) : series, isCut };
}

function scalarSeries(values: Float64Array): VectorSeries {
  return { labels: noLabels, values, isPresent: new Uint8Array(values.length).fill(1) };
}

function pointsOf({ values, isPresent }: VectorSeries, steps: Steps): Points {
  const isAny = (_: number, step: number): boolean => isPresent[step] === 1;
  const timesMs = values.map((_, step) => stepMsOf(steps, step));
  return { timesMs: timesMs.filter(isAny), values: values.filter(isAny) };
}

/** Only an answer to an instant query has an order, that of its outermost function. */
function orderOf(expression: Expression): ((a: number, b: number) => number) | undefined {
  if (expression.kind === "call" && expression.name === "sort") return ascending;
  if (expression.kind === "call" && expression.name === "sort_desc") return descending;
  if (expression.kind !== "aggregate" || expression.labels.length > 0 || expression.isWithout) return undefined;
  return { topk: descending, bottomk: ascending }[expression.operator as string];
}

function rawSamples(
  range: RangeExpression,
  selected: readonly SelectedSeries[],
  { steps, parts }: { readonly steps: Steps; readonly parts: QueryParts },
): QueryResult {
  const values = selected.reduce((sum, each) => sum + each.values.length, 0);
  parts.work.checkAnswer({ series: selected.length, values });
  const { fromMs, toMs } = neededRange(range, steps);
  const all = selected.flatMap((each) => {
    const points = samplesOf(each);
    const isWithin = (_: number, index: number): boolean => {
      const timeMs = points.timesMs[index] as number;
      return timeMs >= fromMs && timeMs <= toMs;
    };
    const within = { timesMs: points.timesMs.filter(isWithin), values: points.values.filter(isWithin) };
    return within.values.length === 0 ? [] : [{ labels: each.labels, points: within }];
  });
  return { type: "matrix", ...limited(sortedByLabels(all), parts) };
}

type Selecting = SelectorExpression | RangeExpression;

/** Reads the series of all selectors of a query. */
async function selectAll(expression: Expression, steps: Steps, { source, work }: QueryParts) {
  const selecting = selectorsIn(expression);
  const selections = selecting.map((each) => ({
    matchers: (each.kind === "range" ? each.selector : each).matchers,
    ...neededRange(each, steps),
    instants: each.kind === "range" ? undefined : instantsOf(each, steps),
  }));
  const series = selections.length === 0 ? [] : await source.select(selections, work);
  return new Map<Expression, readonly SelectedSeries[]>(selecting.map((each, index) => [each, series[index] ?? []]));
}

function selectorsIn(expression: Expression): Selecting[] {
  switch (expression.kind) {
    case "number":
    case "string":
      return [];
    case "selector":
    case "range":
      return [expression];
    case "negation":
      return selectorsIn(expression.operand);
    case "aggregate":
      return [expression.parameter, expression.operand].flatMap((each) =>
        each === undefined ? [] : selectorsIn(each),
      );
    case "binary":
      return [...selectorsIn(expression.left), ...selectorsIn(expression.right)];
    case "call":
      return expression.args.flatMap(selectorsIn);
  }
}
