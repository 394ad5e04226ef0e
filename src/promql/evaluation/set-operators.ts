import type { BinaryExpression } from "../language/expression.ts";
import { signatureBy } from "./match-vectors.ts";
import type { Labels } from "../labels.ts";
import { LabelsMap } from "../labels-map.ts";
import type { Work } from "../work.ts";
import { addSteps, mapped, ofEachSeries, type VectorSeries, vectorOf } from "./value.ts";

/** `and`, `or` and `unless` of two vectors. */
export async function combineSets(
  { operator, matching }: Pick<BinaryExpression, "operator" | "matching">,
  { left, right }: Readonly<Record<"left" | "right", readonly VectorSeries[]>>,
  work: Work,
) {
  const signature = signatureBy(matching);
  const keep = async (series: readonly VectorSeries[], others: readonly VectorSeries[], ifOthers: boolean) => {
    const present = await presentBySignature(others, signature, work);
    return ofEachSeries(series, { work, valuesOf: ({ values }) => values.length }, (each) => {
      const of = present.get(signature(each.labels));
      return mapped(
        each,
        (labels) => labels,
        (value, step) => ((of?.[step] === 1) === ifOthers ? value : undefined),
      );
    });
  };
  if (operator === "and") return vectorOf(await keep(left, right, true), work);
  if (operator === "unless") return vectorOf(await keep(left, right, false), work);
  return vectorOf([...left, ...(await keep(right, left, false))], work);
}

/** The steps at which there is a series of each signature. */
async function presentBySignature(
  series: readonly VectorSeries[],
  signature: (labels: Labels) => Labels,
  work: Work,
): Promise<LabelsMap<Uint8Array>> {
  const present = new LabelsMap<Uint8Array>();
  for (const { labels, isPresent } of series) {
    await work.didSeries(isPresent.length);
    const key = signature(labels);
    const known = present.get(key);
    if (known === undefined) present.set(key, isPresent.slice());
    else addSteps(known, isPresent);
  }
  return present;
}
