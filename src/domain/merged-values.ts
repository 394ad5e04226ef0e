import { foldedSeries } from "./fold.ts";

/** Values by the names of their series. */
type Values = Iterable<readonly [name: string, value: number]>;

/** The values of a record. */
interface RecordValues {
  /** Values of the catalogue's metrics. */
  readonly metrics: Values;
  /** Values of labelled series, and of metrics outside the catalogue. */
  readonly custom: Values;
}

/** The values of two records of the same GPU and instant. */
interface MergedValues {
  readonly metrics: ReadonlyMap<string, number>;
  readonly custom: ReadonlyMap<string, number>;
  /** The plain values that follow from the labelled series of both records. */
  readonly folded: ReadonlyMap<string, number>;
}

/** Merges the values of two records of the same GPU and instant: the greater value of each series, and the plain values that
 *  follow from all labelled series. The order of the two records does not matter. */
export function mergedValues(a: RecordValues, b: RecordValues): MergedValues {
  const custom = greater(a.custom, b.custom);
  const folded = foldedSeries(Object.fromEntries(custom));
  return { metrics: greater(greater(a.metrics, b.metrics), folded), custom, folded };
}

function greater(a: Values, b: Values): Map<string, number> {
  const merged = new Map(a);
  for (const [name, value] of b) merged.set(name, Math.max(merged.get(name) ?? -Infinity, value));
  return merged;
}
