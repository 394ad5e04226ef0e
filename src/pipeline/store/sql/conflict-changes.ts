import type { SqlExecutor } from "../../../db/client.ts";
import {
  addConflicts,
  type ConflictingValue,
  removeConflicts,
  type SeriesPlace,
} from "../../../db/sql/conflicting-values.ts";
import type { KeyedBatch } from "./batch-parts.ts";

/** How writing a batch's records changes the conflicts of the store. */
export interface ConflictChanges {
  /** The conflicts of these series no longer count: their record was replaced by that of another host, or has labelled series
   *  now. */
  readonly removed: readonly SeriesPlace[];
  /** Values of the batch or of the store that are not the greatest. */
  readonly added: readonly ConflictingValue[];
  /** The records of the batch that were rejected, by their indexes: their conflicts do not count. */
  readonly rejectedRecords: readonly number[];
}

/** Counts the conflicts of a batch, after its records are written.
 *  @returns how many conflicts the store has more than before; negative if it has fewer */
export async function countConflictsOf(
  executor: SqlExecutor,
  { batch, keys }: KeyedBatch,
  { removed, added, rejectedRecords }: ConflictChanges,
): Promise<number> {
  // a message of an earlier version tells only the number of its conflicts
  const untold = batch.conflicting === undefined ? batch.tally.conflicts : 0;
  const rejected = new Set(rejectedRecords);
  const within = (batch.conflicting ?? []).flatMap(({ record, metric: series, value }) => {
    const gpuKey = keys[batch.gpuIndexes[record] as number] as number;
    return rejected.has(record) ? [] : [{ gpuKey, timeMs: batch.timesMs[record] as number, series, value }];
  });
  const [fewer, more] = await Promise.all([
    removeConflicts(executor, removed),
    addConflicts(executor, [...added, ...within]),
  ]);
  return untold - fewer + more;
}
