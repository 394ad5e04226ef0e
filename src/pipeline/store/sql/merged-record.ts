import { foldedSeries } from "../../../domain/fold.ts";
import { mergedOccupants, type Occupants } from "../../../domain/gpu.ts";

/** Values of a record, by the names of their series. */
export interface RecordValues {
  readonly metrics: ReadonlyMap<string, number>;
  readonly custom: ReadonlyMap<string, number>;
  readonly occupants: Occupants;
}

/** The result of merging two records of the same GPU and instant. */
export interface MergedValues extends RecordValues {
  /** The number of series whose values differ between the two records. */
  readonly conflicts: number;
}

/** Merges two records of the same GPU and instant: the greater value of each series, the plain values that follow from all
 *  labelled series, and the occupants of both records. The order of the two records does not matter. A plain value that may
 *  follow from series is no conflict: whether the values without labels differ is not known. */
export function mergedRecord(stored: RecordValues, added: RecordValues): MergedValues {
  const custom = greater(stored.custom, added.custom);
  const folded = foldedSeries(Object.fromEntries(custom));
  const plain = new Map([...stored.metrics].filter(([name]) => !folded.has(name)));
  return {
    metrics: greater(greater(stored.metrics, added.metrics), folded),
    custom,
    occupants: mergedOccupants(stored.occupants, added.occupants),
    conflicts: differences(plain, added.metrics) + differences(stored.custom, added.custom),
  };
}

function greater(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Map<string, number> {
  const merged = new Map(a);
  for (const [name, value] of b) merged.set(name, Math.max(merged.get(name) ?? -Infinity, value));
  return merged;
}

function differences(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  return [...a].filter(([name, value]) => (b.get(name) ?? value) !== value).length;
}
