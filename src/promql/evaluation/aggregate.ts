import type { AggregateExpression, Aggregation } from "../language/expression.ts";
import { type Labels, nameLabel, only, replacing, without } from "../labels.ts";
import { groupedBy } from "../labels-map.ts";
import { numberText } from "../number-text.ts";
import { failed } from "../promql-error.ts";
import type { Work } from "../work.ts";
import { extremesOf } from "./extremes.ts";
import { ExactSum, Mean, quantileOf, Variance } from "./sums.ts";
import { emptySeries, type VectorSeries, vectorOf } from "./value.ts";

/** The number of topk, bottomk and quantile at each step, or the label of count_values. */
type Parameter = Float64Array | string | undefined;

type Fold = (values: Float64Array) => number;

const added =
  <Sum extends { add(value: number): void }>(make: () => Sum, result: (sum: Sum) => number): Fold =>
  (values) => {
    const sum = make();
    for (const value of values) sum.add(value);
    return result(sum);
  };

const varianceOfSeveral = added(
  () => new Variance(),
  (variance) => variance.value,
);

/** What the aggregations make of the values of a group; there is at least one. */
const folds: Partial<Readonly<Record<Aggregation, Fold>>> = {
  sum: ([first, ...others]) => {
    const sum = new ExactSum(first);
    for (const value of others) sum.add(value);
    return sum.total;
  },
  avg: added(
    () => new Mean(),
    (mean) => mean.value,
  ),
  stdvar: (values) => varianceOf(values),
  stddev: (values) => Math.sqrt(varianceOf(values)),
  min: (values) => values.reduce((least, value) => (value < least || Number.isNaN(least) ? value : least)),
  max: (values) => values.reduce((most, value) => (value > most || Number.isNaN(most) ? value : most)),
  count: (values) => values.length,
  group: () => 1,
};

/** The variance of a single value is 0, even that of NaN. */
function varianceOf(values: Float64Array): number {
  return values.length === 1 ? 0 : varianceOfSeveral(values);
}

/** The labels by which an aggregation groups. */
function groupLabelsOf({ isWithout, labels }: AggregateExpression): (of: Labels) => Labels {
  const choice = isWithout ? without([...labels, nameLabel]) : only(labels);
  return (of) => of.chosenBy(choice);
}

/** Aggregates the series of a vector. */
export async function aggregate(
  expression: AggregateExpression,
  series: readonly VectorSeries[],
  { parameter, work }: { readonly parameter: Parameter; readonly work: Work },
) {
  const labelsIn = groupLabelsOf(expression);
  const steps = series[0]?.values.length ?? 0;
  const results: VectorSeries[] = [];
  for (const group of (await groupedBy(series, labelsIn, work)).values()) {
    const labels = labelsIn((group[0] as VectorSeries).labels);
    const ofGroup = await ofOneGroup(expression.operator, { group, labels, parameter, work });
    for (const each of ofGroup) results.push(each);
    work.checkSize(results.length, steps);
  }
  return vectorOf(results, work);
}

interface Group {
  readonly group: readonly VectorSeries[];
  readonly labels: Labels;
  readonly parameter: Parameter;
  readonly work: Work;
}

async function ofOneGroup(operator: Aggregation, of: Group): Promise<VectorSeries[]> {
  const { group, parameter, work } = of;
  if (operator === "count_values") return countValues(of, String(parameter));
  const numbers = typeof parameter === "object" ? parameter : new Float64Array();
  if (operator === "topk" || operator === "bottomk") return extremesOf(operator, group, { counts: numbers, work });
  const fold = folds[operator];
  return [await folded(of, (values, step) => fold?.(values) ?? quantileOf(numbers[step] ?? NaN, values))];
}

async function folded(
  { group, labels, work }: Group,
  fold: (values: Float64Array, step: number) => number,
): Promise<VectorSeries> {
  const steps = group[0]?.values.length ?? 0;
  const result = emptySeries(labels, steps);
  const buffer = new Float64Array(group.length);
  for (let step = 0; step < steps; step += 1) {
    await work.did(group.length);
    let count = 0;
    for (const { values, isPresent } of group) {
      if (isPresent[step] !== 1) continue;
      buffer[count] = values[step] as number;
      count += 1;
    }
    if (count === 0) continue;
    result.values[step] = fold(buffer.subarray(0, count), step);
    result.isPresent[step] = 1;
  }
  return result;
}

async function countValues({ group, labels, work }: Group, label: string): Promise<VectorSeries[]> {
  if (!/^[A-Za-z_]\w*$/.test(label)) throw failed(`invalid label name ${JSON.stringify(label)}`);
  const replace = replacing(label);
  const byText = new Map<string, VectorSeries>();
  for (const { values, isPresent } of group) {
    await work.didSeries(values.length);
    work.checkSize(byText.size, values.length);
    for (const [step, is] of isPresent.entries()) {
      if (is !== 1) continue;
      const text = numberText(values[step] as number);
      let counted = byText.get(text);
      if (counted === undefined) {
        counted = emptySeries(replace(labels, text), values.length);
        byText.set(text, counted);
      }
      counted.values[step] = (counted.values[step] as number) + 1;
      counted.isPresent[step] = 1;
    }
  }
  return [...byText.values()];
}
