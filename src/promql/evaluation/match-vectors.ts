import type { BinaryExpression, Matching } from "../language/expression.ts";
import { type Labels, labelsText, nameLabel, only, replacing, without, withoutName } from "../labels.ts";
import { groupedBy } from "../labels-map.ts";
import { failed } from "../promql-error.ts";
import type { Work } from "../work.ts";
import { compute, holds, isComparison } from "./operators.ts";
import { addSteps, emptySeries, type VectorSeries, vectorOf } from "./value.ts";

/** A function that gives each series the labels that the series of the other vector must have too. */
export function signatureBy({ isOn, labels }: Matching): (labels: Labels) => Labels {
  const choice = isOn ? only(labels) : without([...labels, nameLabel]);
  return (of) => of.chosenBy(choice);
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
  const ones = await groupedBy(one, signature, work);
  const steps = left[0]?.values.length ?? 0;
  // where one of the two is empty, nothing is matched
  const isMatched = stepsWithAny(many, steps);
  for (const same of ones.values()) {
    checkUnique(same, isMatched, (pair) => {
      const side = isSwapped ? "left" : "right";
      return `found duplicate series for the match group on the ${side} hand-side of the operation: [${pair}];many-to-many matching not allowed: matching labels must be unique on one side`;
    });
  }
  const results: VectorSeries[] = [];
  const labelsOf = resultLabels(expression);
  for (const ofMany of (await groupedBy(many, signature, work)).values()) {
    const ofOne = ones.get(signature((ofMany[0] as VectorSeries).labels)) ?? [];
    const inGroup: VectorSeries[] = [];
    for (const each of ofMany) {
      for (const other of ofOne) {
        work.checkSize(results.length + inGroup.length, steps);
        inGroup.push(paired(expression, { many: each, one: other }, labelsOf(each.labels, other.labels)));
        await work.didSeries(steps);
      }
    }
    await checkGroup(inGroup, isMatched, { matching, work });
    for (const each of inGroup) results.push(each);
  }
  return vectorOf(results, work);
}

/** A result of one series of the many, and one of the others. */
function paired(
  { operator, isBool, matching }: BinaryExpression,
  { many, one }: Readonly<Record<"many" | "one", VectorSeries>>,
  labels: Labels,
): VectorSeries {
  const result = emptySeries(labels, many.values.length);
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

/** A function that gives a pair of series the labels of their result. */
function resultLabels({ operator, isBool, matching }: BinaryExpression): (many: Labels, one: Labels) => Labels {
  const keepsName = isComparison(operator) && !isBool;
  const matched = matching.isOn ? only(matching.labels) : without(matching.labels);
  const included = matching.include.map((name) => ({ name, replace: replacing(name) }));
  return (many, one) => {
    let labels = keepsName ? many : withoutName(many);
    if (matching.grouping === "one-to-one") labels = labels.chosenBy(matched);
    for (const { name, replace } of included) labels = replace(labels, one.get(name) ?? "");
    return labels;
  };
}

/** 1 for each step at which any series has a value. */
function stepsWithAny(series: readonly VectorSeries[], steps: number): Uint8Array {
  const has = new Uint8Array(steps);
  for (const { isPresent } of series) addSteps(has, isPresent);
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

async function checkGroup(
  series: readonly VectorSeries[],
  steps: Uint8Array,
  { matching, work }: { readonly matching: Matching; readonly work: Work },
): Promise<void> {
  if (matching.grouping === "one-to-one") {
    const problem = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
    checkUnique(series, steps, () => problem);
    return;
  }
  const problem = "multiple matches for labels: grouping labels must ensure unique matches";
  const groups = await groupedBy(series, (labels) => labels, work);
  for (const same of groups.values()) checkUnique(same, steps, () => problem);
}
