import type { RecordBatch } from "./batch.ts";

/** Removes the GPUs and occupants that no record refers to, except element 0 of the occupants, which is `noOccupants`. */
export function withUsedDictionaries(batch: RecordBatch): RecordBatch {
  const gpus = usedOf(batch.gpuIndexes, []);
  const occupants = usedOf(batch.occupantsIndexes, [0]);
  return {
    ...batch,
    gpus: gpus.used.map((index) => batch.gpus[index] as RecordBatch["gpus"][number]),
    occupants: occupants.used.map((index) => batch.occupants[index] as RecordBatch["occupants"][number]),
    gpuIndexes: batch.gpuIndexes.map((index) => gpus.newIndexOf.get(index) as number),
    occupantsIndexes: batch.occupantsIndexes.map((index) => occupants.newIndexOf.get(index) as number),
  };
}

function usedOf(
  indexes: Uint32Array,
  alwaysUsed: readonly number[],
): { used: number[]; newIndexOf: Map<number, number> } {
  const used = [...new Set([...alwaysUsed, ...indexes])];
  return { used, newIndexOf: new Map(used.map((index, position) => [index, position])) };
}
