import type { BinaryExpression, Matching } from "../language/expression.ts";
import {
  type Labels,
  labelsKey,
  labelsText,
  labelsWith,
  labelsWithout,
  nameLabel,
  withLabel,
  withoutName,
} from "../labels.ts";
import { failed } from "../promql-error.ts";
import type { Work } from "../work.ts";
import { compute, holds, isComparison } from "./operators.ts";
import { emptySeries, type VectorSeries, vectorOf } from "./value.ts";

/** A function that gives each series the text that the series of the other vector must have too. */
export function signatureBy({ isOn, labels }: Matching): (labels: Labels) => string {
  const names = new Set(isOn ? labels : [...labels, nameLabel]);
  return (of) => labelsKey(isOn ? labelsWith(of, names) : labelsWithout(of, names));
}

/** Computes an operator between the series of two vectors that belong together.
 *  @throws PromqlError if it is not clear which do */
export async function matchVectors(
  expression: BinaryExpression,
  { left, right }: Readonly<Record<"left" | "right", readonly VectorSeries[]>>,
  work: Work,
) {
  const { matching } = expression;
  const isSwapped = matching.grouping === "group_right";
  const [many, one] = isSwapped ? [right, left] : [left, right];
  const signature = signatureBy(matching);
  const ones = Map.groupBy(one, ({ labels }) => signature(labels));
  const steps = left[0]?.values.length ?? 0;
  // where one of the two is empty, nothing is matched
  const isMatched = stepsWithAny(many, steps);
  for (const [, same] of ones) {
    checkUnique(same, isMatched, (pair) => {
      const side = isSwapped ? "left" : "right";
      return `found duplicate series for the match group on the ${side} hand-side of the operation: [${pair}];many-to-many matching not allowed: matching labels must be unique on one side`;
    });
  }
  const results: VectorSeries[] = [];
  const groups = Map.groupBy(many, ({ labels }) => signature(labels));
  for (const [key, ofMany] of groups) {
    const ofOne = ones.get(key) ?? [];
    const inGroup: VectorSeries[] = [];
    for (const each of ofMany) {
      for (const other of ofOne) {
        work.checkSize((results.length + inGroup.length) * steps);
        inGroup.push(paired(expression, each, other));
        await work.did(steps);
      }
    }
    checkGroup(inGroup, isMatched, matching);
    results.push(...inGroup);
  }
  return vectorOf(results);
}

/** A result of one series of the many, and one of the others. */
function paired({ operator, isBool, matching }: BinaryExpression, many: VectorSeries, one: VectorSeries): VectorSeries {
  const ofMany = isComparison(operator) && !isBool ? many.labels : withoutName(many.labels);
  const result = emptySeries(resultLabels(ofMany, one.labels, matching), many.values.length);
  const isSwapped = matching.grouping === "group_right";
  for (let step = 0; step < many.values.length; step += 1) {
    if (many.isPresent[step] !== 1 || one.isPresent[step] !== 1) continue;
    const [left, right] = isSwapped ? [one, many] : [many, one];
    const value = combined({ operator, isBool }, left.values[step] as number, right.values[step] as number);
    if (value === undefined) continue;
    result.values[step] = value;
    result.isPresent[step] = 1;
  }
  return result;
}

/** What an operator makes of two numbers: a comparison keeps the left one if it holds.
 *  @returns undefined if it does not */
export function combined(
  { operator, isBool }: Pick<BinaryExpression, "operator" | "isBool">,
  left: number,
  right: number,
): number | undefined {
  if (!isComparison(operator)) return compute[operator as keyof typeof compute](left, right);
  const isKept = holds[operator](left, right);
  if (isBool) return isKept ? 1 : 0;
  return isKept ? left : undefined;
}

function resultLabels(many: Labels, one: Labels, matching: Matching): Labels {
  let labels = many;
  const names = new Set(matching.labels);
  if (matching.grouping === "one-to-one") {
    labels = matching.isOn ? labelsWith(labels, names) : labelsWithout(labels, names);
  }
  for (const name of matching.include) labels = withLabel(labels, name, one.get(name) ?? "");
  return labels;
}

/** 1 for each step at which any series has a value. */
function stepsWithAny(series: readonly VectorSeries[], steps: number): Uint8Array {
  const has = new Uint8Array(steps);
  for (const { isPresent } of series) for (const [step, is] of isPresent.entries()) if (is === 1) has[step] = 1;
  return has;
}

/** @throws PromqlError if two series have a value at the same one of the given steps */
function checkUnique(series: readonly VectorSeries[], steps: Uint8Array, problem: (pair: string) => string): void {
  if (series.length < 2) return;
  for (const [step, is] of steps.entries()) {
    if (is !== 1) continue;
    const present = series.filter(({ isPresent }) => isPresent[step] === 1);
    if (present.length < 2) continue;
    const pair = present.slice(0, 2).map(({ labels }) => labelsText(labels));
    throw failed(problem(pair.join(", ")));
  }
}

function checkGroup(series: readonly VectorSeries[], steps: Uint8Array, { grouping }: Matching): void {
  if (grouping === "one-to-one") {
    const problem = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
    checkUnique(series, steps, () => problem);
    return;
  }
  const problem = "multiple matches for labels: grouping labels must ensure unique matches";
  for (const [, same] of Map.groupBy(series, ({ labels }) => labelsKey(labels)))
    checkUnique(same, steps, () => problem);
}
