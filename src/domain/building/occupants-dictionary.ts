import type { RecordBatch } from "../batch.ts";
import { mergedOccupants, noOccupants, type Occupants, occupantsOf, type Workload } from "../gpu.ts";

/** The sets of workloads of a batch that is being built; element 0 is `noOccupants`. */
export class OccupantsDictionary {
  private readonly sets: Occupants[] = [noOccupants];
  private readonly indexes = new Map<string, number>([[keyOf(noOccupants), 0]]);
  private readonly unions = new Map<string, number>();

  /** The set of one workload.
   *  @param hint the set's index in an earlier batch; if the index in this batch is the same, no search is needed */
  indexOf(workload: Workload, hint: number): number {
    const set = this.sets[hint];
    if (workload.pod === "" && workload.namespace === "" && workload.container === "") return 0;
    return set?.[0] === workload && set.length === 1 ? hint : this.indexOfSet(occupantsOf([workload]));
  }

  /** @returns the index of the set of all workloads in either set */
  unionOf(a: number, b: number): number {
    if (a === b || b === 0) return a;
    if (a === 0) return b;
    const key = `${a} ${b}`;
    const union =
      this.unions.get(key) ?? this.indexOfSet(mergedOccupants(this.sets[a] as Occupants, this.sets[b] as Occupants));
    this.unions.set(key, union);
    return union;
  }

  /** Element 0 and the used sets in the order of their first records, and for each record, the index of its set. */
  used(indexes: readonly number[]): Pick<RecordBatch, "occupants" | "occupantsIndexes"> {
    if (this.sets.length === 1) return { occupants: this.sets, occupantsIndexes: new Uint32Array(indexes.length) };
    const used = [...new Set([0, ...indexes])];
    const newIndexOf = new Map(used.map((index, position) => [index, position]));
    return {
      occupants: used.map((index) => this.sets[index] as Occupants),
      occupantsIndexes: Uint32Array.from(indexes, (index) => newIndexOf.get(index) as number),
    };
  }

  private indexOfSet(set: Occupants): number {
    const key = keyOf(set);
    const index = this.indexes.get(key) ?? this.sets.push(set) - 1;
    this.indexes.set(key, index);
    return index;
  }
}

function keyOf(set: Occupants): string {
  return JSON.stringify(set.map(({ namespace, pod, container }) => [namespace, pod, container]));
}
