import type { SqlTransaction } from "../../../db/client.ts";
import { copyTelemetry } from "../../../db/sql/copy-telemetry.ts";
import { existingRecords } from "../../../db/sql/existing-records.ts";
import { completeTelemetry } from "../../../db/sql/upsert-telemetry.ts";
import type { RejectedInput } from "../../../domain/batch.ts";
import { type KeyedBatch, type Part, partsOf, rowsOf } from "./batch-parts.ts";
import type { ConflictChanges } from "./conflict-changes.ts";
import { mergeContradicted } from "./contradicted-records.ts";
import { joinBatches } from "./joined-batch.ts";

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

/** What happens to the records of each batch. */
class Writing {
  readonly results: WriteResult[];

  /** @param firstRecords the index of each batch's first record in the parts, ascending */
  constructor(
    readonly batches: readonly KeyedBatch[],
    private readonly firstRecords: readonly number[],
  ) {
    this.results = batches.map(() => nothing);
  }

  allNew(part: Part): void {
    for (const { batch, rows } of this.byBatch(part)) this.add(batch, { ...nothing, inserted: rows.length });
  }

  /** Merges the records of one batch after the other. */
  async merge(transaction: SqlTransaction, part: Part): Promise<void> {
    for (const { batch, rows } of this.byBatch(part)) {
      const ofBatch = rowsOf(part, rows);
      const first = this.firstRecords[batch] as number;
      const records = Float64Array.from(ofBatch.records, (record) => record - first);
      this.add(batch, await merge(transaction, { ...ofBatch, records }, this.batches[batch] as KeyedBatch));
    }
  }

  private add(batch: number, result: WriteResult): void {
    this.results[batch] = added(this.results[batch] as WriteResult, result);
  }

  private byBatch({ records }: Part): { readonly batch: number; readonly rows: readonly number[] }[] {
    const { firstRecords } = this;
    const rowsOfBatch = firstRecords.map((): number[] => []);
    for (let row = 0; row < records.length; row += 1) {
      const record = records[row] as number;
      let batch = firstRecords.length - 1;
      while (record < (firstRecords[batch] as number)) batch -= 1;
      rowsOfBatch[batch]?.push(row);
    }
    return rowsOfBatch.flatMap((rows, batch) => (rows.length === 0 ? [] : [{ batch, rows }]));
  }
}

/** Writes records: by COPY if all of them are new, as those of live sources are. If some exist already, COPY adds the new ones,
 *  and an upsert merges the existing ones, except those that the batch contradicts: this process merges them. An upsert takes
 *  several times as long as COPY.
 *
 *  COPYING -a record exists already-> CHECKING (first reads which ones exist) -32 writes without any-> COPYING */
export class TelemetryWriter {
  private checksLeft = 0;

  /** @param batches they have no record in common
   *  @returns the result of each batch */
  async write(transaction: SqlTransaction, batches: readonly KeyedBatch[]): Promise<readonly WriteResult[]> {
    const { records, firstRecords } = joinBatches(batches);
    const writing = new Writing(batches, firstRecords);
    for (const part of partsOf(records)) await this.writePart(transaction, part, writing);
    return writing.results;
  }

  private async writePart(transaction: SqlTransaction, part: Part, writing: Writing): Promise<void> {
    if (this.checksLeft === 0) {
      if (await copyTelemetry(transaction, part)) {
        writing.allNew(part);
        return;
      }
      this.checksLeft = checksAfterMerge;
    }
    // batches are merged one after the other, so the records of all are locked before
    const existing = await existingRecords(transaction, part, writing.batches.length > 1);
    this.checksLeft = existing.size > 0 ? checksAfterMerge : Math.max(0, this.checksLeft - 1);
    const rows = Array.from(part.gpuKeys, (_, row) => row);
    const newPart = rowsOf(
      part,
      rows.filter((row) => !existing.has(row)),
    );
    // the upsert comes first: while a transaction waits for another's row, it has added no row that the other could wait for
    const known = rowsOf(
      part,
      rows.filter((row) => existing.has(row)),
    );
    await writing.merge(transaction, known);
    if (await copyTelemetry(transaction, newPart)) writing.allNew(newPart);
    // another collector has stored some of the records meanwhile
    else await writing.merge(transaction, newPart);
  }
}

async function merge(transaction: SqlTransaction, part: Part, keyed: KeyedBatch): Promise<WriteResult> {
  const counts = await completeTelemetry(transaction, part);
  const completed: WriteResult = { ...nothing, ...counts };
  if (counts.inserted + counts.merged === part.gpuKeys.length) return completed;
  return added(completed, { ...nothing, ...(await mergeContradicted(transaction, part, keyed)) });
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
