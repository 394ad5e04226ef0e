import { ascending, descending } from "./evaluation/extremes.ts";
import { Evaluation } from "./evaluation/evaluate.ts";
import { neededRange, samplesOf } from "./evaluation/select.ts";
import type { Steps, VectorSeries } from "./evaluation/value.ts";
import type { Expression, RangeExpression, SelectorExpression } from "./language/expression.ts";
import { typeOf } from "./language/check.ts";
import { parse } from "./language/parse.ts";
import { byLabels, type Labels } from "./labels.ts";
import { badData } from "./promql-error.ts";
import type { SelectedSeries, SeriesSource } from "./series-source.ts";
import type { Work } from "./work.ts";

/** A value at an instant. */
export interface Point {
  readonly timeMs: number;
  readonly value: number;
}

/** The answer to a query. */
export type QueryResult =
  | { readonly type: "scalar"; readonly point: Point }
  | { readonly type: "string"; readonly timeMs: number; readonly text: string }
  | { readonly type: "vector"; readonly series: readonly { readonly labels: Labels; readonly point: Point }[] }
  | {
      readonly type: "matrix";
      readonly series: readonly { readonly labels: Labels; readonly points: readonly Point[] }[];
    };

/** Where a query is answered from, and what it may cost. */
export interface QueryParts {
  readonly source: SeriesSource;
  readonly work: Work;
  /** How long a sample counts if none follows; absent: 5 minutes, as in Prometheus. */
  readonly lookbackMs?: number | undefined;
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
  if (expression.kind === "range") return rawSamples(expression, selected.get(expression) ?? [], steps);
  const value = await new Evaluation(steps, selected, parts.work).evaluate(expression);
  if (value.kind === "string") return { type: "string", timeMs: atMs, text: value.text };
  const pointOf = (values: Float64Array): Point => ({ timeMs: atMs, value: values[0] ?? NaN });
  if (value.kind === "scalar") return { type: "scalar", point: pointOf(value.values) };
  const series = value.series.map(({ labels, values }) => ({ labels, point: pointOf(values) }));
  const order = orderOf(expression);
  if (order !== undefined) series.sort((a, b) => order(a.point.value, b.point.value));
  return { type: "vector", series };
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
  parts.work.checkAnswer(all.length * steps.count);
  const series = all.map((each) => ({ labels: each.labels, points: pointsOf(each, steps) }));
  return { type: "matrix", series: series.sort((a, b) => byLabels(a.labels, b.labels)) };
}

function scalarSeries(values: Float64Array): VectorSeries {
  return { labels: new Map(), values, isPresent: new Uint8Array(values.length).fill(1) };
}

function pointsOf({ values, isPresent }: VectorSeries, { startMs, stepMs }: Steps): Point[] {
  const points: Point[] = [];
  for (const [step, is] of isPresent.entries()) {
    if (is === 1) points.push({ timeMs: startMs + step * stepMs, value: values[step] as number });
  }
  return points;
}

/** Only an answer to an instant query has an order, that of its outermost function. */
function orderOf(expression: Expression): ((a: number, b: number) => number) | undefined {
  if (expression.kind === "call" && expression.name === "sort") return ascending;
  if (expression.kind === "call" && expression.name === "sort_desc") return descending;
  if (expression.kind !== "aggregate" || expression.labels.length > 0 || expression.isWithout) return undefined;
  return { topk: descending, bottomk: ascending }[expression.operator as string];
}

function rawSamples(range: RangeExpression, selected: readonly SelectedSeries[], steps: Steps): QueryResult {
  const { fromMs, toMs } = neededRange(range, steps);
  const series = selected.flatMap((each) => {
    const { timesMs, values } = samplesOf(each);
    const points = Array.from(timesMs, (timeMs, index) => ({ timeMs, value: values[index] as number }));
    const within = points.filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs);
    return within.length === 0 ? [] : [{ labels: each.labels, points: within }];
  });
  return { type: "matrix", series: series.sort((a, b) => byLabels(a.labels, b.labels)) };
}

type Selecting = SelectorExpression | RangeExpression;

/** Reads the series of all selectors of a query. */
async function selectAll(expression: Expression, steps: Steps, { source, work }: QueryParts) {
  const selecting = selectorsIn(expression);
  const selections = selecting.map((each) => ({
    matchers: (each.kind === "range" ? each.selector : each).matchers,
    ...neededRange(each, steps),
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
