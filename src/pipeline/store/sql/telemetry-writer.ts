import type { SqlTransaction } from "../../../db/client.ts";
import { copyTelemetry } from "../../../db/sql/copy-telemetry.ts";
import { existingRecords } from "../../../db/sql/existing-records.ts";
import { completeTelemetry } from "../../../db/sql/upsert-telemetry.ts";
import type { RejectedInput } from "../../../domain/batch.ts";
import { type KeyedBatch, type Part, partsOf, rowsOf } from "./batch-parts.ts";
import type { ConflictChanges } from "./conflict-changes.ts";
import { mergeContradicted } from "./contradicted-records.ts";

/** After a write with existing records, this many writes first read which of their records exist: an input that spreads a
 *  record over batches usually continues to do so. */
const checksAfterMerge = 32;

/** The result of writing a batch's records. */
export interface WriteResult {
  /** Records that were new. */
  readonly inserted: number;
  /** Records that were merged with stored ones, or replaced them. */
  readonly merged: number;
  readonly conflicts: ConflictChanges;
  /** Records that are not kept, because another host has reported their uuid at their instant. */
  readonly rejected: readonly RejectedInput[];
  /** The keys of the GPUs of such records; a key may occur several times. */
  readonly contested: readonly number[];
}

const noConflicts: ConflictChanges = { removed: [], added: [], rejectedRecords: [] };
const nothing: WriteResult = { inserted: 0, merged: 0, conflicts: noConflicts, rejected: [], contested: [] };

/** Writes records: by COPY if all of them are new, as those of live sources are. If some exist already, COPY adds the new ones,
 *  and an upsert merges the existing ones, except those that the batch contradicts: this process merges them. An upsert takes
 *  several times as long as COPY.
 *
 *  COPYING -a record exists already-> CHECKING (first reads which ones exist) -32 writes without any-> COPYING */
export class TelemetryWriter {
  private checksLeft = 0;

  async write(transaction: SqlTransaction, keyed: KeyedBatch): Promise<WriteResult> {
    let sum = nothing;
    for (const part of partsOf(keyed)) sum = added(sum, await this.writePart(transaction, part, keyed));
    return sum;
  }

  private async writePart(transaction: SqlTransaction, part: Part, keyed: KeyedBatch): Promise<WriteResult> {
    if (this.checksLeft === 0) {
      if (await copyTelemetry(transaction, part)) return allNew(part);
      this.checksLeft = checksAfterMerge;
    }
    const existing = await existingRecords(transaction, part);
    this.checksLeft = existing.size > 0 ? checksAfterMerge : Math.max(0, this.checksLeft - 1);
    const rows = Array.from(part.gpuKeys, (_, row) => row);
    const newPart = rowsOf(
      part,
      rows.filter((row) => !existing.has(row)),
    );
    // the upsert comes first: while a transaction waits for another's row, it has added no row that the other could wait for
    const merged = await merge(
      transaction,
      rowsOf(
        part,
        rows.filter((row) => existing.has(row)),
      ),
      keyed,
    );
    if (await copyTelemetry(transaction, newPart)) return added(merged, allNew(newPart));
    // another collector has stored some of the records meanwhile
    return added(merged, await merge(transaction, newPart, keyed));
  }
}

async function merge(transaction: SqlTransaction, part: Part, keyed: KeyedBatch): Promise<WriteResult> {
  const counts = await completeTelemetry(transaction, part);
  const completed: WriteResult = { ...nothing, ...counts };
  if (counts.inserted + counts.merged === part.gpuKeys.length) return completed;
  return added(completed, { ...nothing, ...(await mergeContradicted(transaction, part, keyed)) });
}

function allNew({ gpuKeys }: Part): WriteResult {
  return { ...nothing, inserted: gpuKeys.length };
}

function added(a: WriteResult, b: WriteResult): WriteResult {
  return {
    inserted: a.inserted + b.inserted,
    merged: a.merged + b.merged,
    conflicts: {
      removed: [...a.conflicts.removed, ...b.conflicts.removed],
      added: [...a.conflicts.added, ...b.conflicts.added],
      rejectedRecords: [...a.conflicts.rejectedRecords, ...b.conflicts.rejectedRecords],
    },
    rejected: [...a.rejected, ...b.rejected],
    contested: [...a.contested, ...b.contested],
  };
}
