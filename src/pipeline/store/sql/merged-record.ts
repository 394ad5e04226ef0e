import { mergedOccupants, type Occupants } from "../../../domain/gpu.ts";
import { mergedValues } from "../../../domain/merged-values.ts";

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

/** Merges two records of the same GPU and instant: their values, and the occupants of both records. The order of the two
 *  records does not matter. A plain value that may follow from series is no conflict: whether the values without labels differ
 *  is not known. */
export function mergedRecord(stored: RecordValues, added: RecordValues): MergedValues {
  const { metrics, custom, folded } = mergedValues(stored, added);
  const plain = new Map([...stored.metrics].filter(([name]) => !folded.has(name)));
  return {
    metrics,
    custom,
    occupants: mergedOccupants(stored.occupants, added.occupants),
    conflicts: differences(plain, added.metrics) + differences(stored.custom, added.custom),
  };
}

function differences(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  return [...a].filter(([name, value]) => (b.get(name) ?? value) !== value).length;
}
