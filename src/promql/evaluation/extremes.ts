import { failed } from "../promql-error.ts";
import type { Work } from "../work.ts";
import { emptySeries, type VectorSeries } from "./value.ts";

/** To sort the values of a step takes as long as to compute so many of each. */
const valuesPerSorted = 10;

/** The series of a group that have its greatest or lowest values, step by step.
 *  @param counts how many of them, at each step */
export async function extremesOf(
  operator: "topk" | "bottomk",
  group: readonly VectorSeries[],
  { counts, work }: { readonly counts: Float64Array; readonly work: Work },
): Promise<VectorSeries[]> {
  const steps = group[0]?.values.length ?? 0;
  const results = group.map(({ labels }) => emptySeries(labels, steps));
  for (let step = 0; step < steps; step += 1) {
    await work.did(group.length * valuesPerSorted);
    const present = [...group.keys()].filter((index) => group[index]?.isPresent[step] === 1);
    const valueOf = (index: number): number => group[index]?.values[step] as number;
    const order = operator === "topk" ? descending : ascending;
    present.sort((a, b) => order(valueOf(a), valueOf(b)));
    for (const index of present.slice(0, countOf(counts[step]))) {
      const result = results[index] as VectorSeries;
      result.values[step] = valueOf(index);
      result.isPresent[step] = 1;
    }
  }
  return results;
}

function countOf(count = NaN): number {
  if (Number.isNaN(count) || Math.abs(count) >= 2 ** 63) throw failed(`Scalar value ${count} overflows int64`);
  return Math.max(0, Math.trunc(count));
}

/** Orders numbers from the greatest to the lowest, NaN last. */
export function descending(a: number, b: number): number {
  return ascending(b, a) === 0 ? 0 : Number.isNaN(a) || Number.isNaN(b) ? ascending(a, b) : ascending(b, a);
}

/** Orders numbers from the lowest to the greatest, NaN last. */
export function ascending(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
