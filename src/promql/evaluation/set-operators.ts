import type { BinaryExpression } from "../language/expression.ts";
import { signatureBy } from "./match-vectors.ts";
import { mapped, type VectorSeries, vectorOf } from "./value.ts";

/** `and`, `or` and `unless` of two vectors. */
export function combineSets(
  { operator, matching }: BinaryExpression,
  left: readonly VectorSeries[],
  right: readonly VectorSeries[],
) {
  const signature = signatureBy(matching);
  const keep = (series: readonly VectorSeries[], others: readonly VectorSeries[], ifOthers: boolean) => {
    const present = presentBySignature(others, signature);
    return series.map((each) => {
      const of = present.get(signature(each.labels));
      return mapped(
        each,
        (labels) => labels,
        (value, step) => ((of?.[step] === 1) === ifOthers ? value : undefined),
      );
    });
  };
  if (operator === "and") return vectorOf(keep(left, right, true));
  if (operator === "unless") return vectorOf(keep(left, right, false));
  return vectorOf([...left, ...keep(right, left, false)]);
}

/** The steps at which there is a series of each signature. */
function presentBySignature(
  series: readonly VectorSeries[],
  signature: (labels: VectorSeries["labels"]) => string,
): ReadonlyMap<string, Uint8Array> {
  const present = new Map<string, Uint8Array>();
  for (const { labels, isPresent } of series) {
    const key = signature(labels);
    const known = present.get(key);
    if (known === undefined) present.set(key, isPresent.slice());
    else for (const [step, is] of isPresent.entries()) if (is === 1) known[step] = 1;
  }
  return present;
}
