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
  /** The smaller value of each series whose values differ between the two records. */
  readonly lesser: readonly (readonly [series: string, value: number])[];
  /** The metrics whose plain values follow from labelled series. */
  readonly folded: readonly string[];
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
    lesser: [...lesserValues(plain, added.metrics), ...lesserValues(stored.custom, added.custom)],
    folded: [...folded.keys()],
  };
}

function lesserValues(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): [string, number][] {
  return [...a].flatMap(([name, value]): [string, number][] => {
    const other = b.get(name) ?? value;
    return other === value ? [] : [[name, Math.min(value, other)]];
  });
}
