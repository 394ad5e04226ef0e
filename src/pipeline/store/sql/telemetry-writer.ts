import type { SqlTransaction } from "../../../db/client.ts";
import { copyTelemetry } from "../../../db/sql/copy-telemetry.ts";
import { existingRecords } from "../../../db/sql/existing-records.ts";
import { type TelemetryColumns, upsertTelemetry } from "../../../db/sql/upsert-telemetry.ts";
import { customByRecord, type RecordBatch } from "../../../domain/batch.ts";
import { noWorkload } from "../../../domain/gpu.ts";
import { sortedRecords } from "./sorted-records.ts";

/** Records per statement: limits the memory of a statement's text. */
const recordsPerStatement = 10_000;
/** After a write with existing records, this many writes read first which of their records exist: an input that spreads a
 *  record over batches usually continues to do so. */
const checksAfterMerge = 32;

/** How many records of a batch were new, and how many were merged. */
export interface WriteCounts {
  readonly inserted: number;
  readonly merged: number;
}

/** Writes records: by COPY if all of them are new, as those of live sources are. If some exist already, COPY adds the
 *  new ones, and an upsert merges the existing ones. An upsert takes several times as long as COPY.
 *
 *  COPYING -a record exists already-> CHECKING (reads first which ones exist) -32 writes without any-> COPYING */
export class TelemetryWriter {
  private checksLeft = 0;

  /** @param keys gpu_key by index in the batch's `gpus`, of every GPU that has records */
  async write(transaction: SqlTransaction, batch: RecordBatch, keys: Float64Array): Promise<WriteCounts> {
    const sums = { inserted: 0, merged: 0 };
    for (const columns of columnsOf(batch, keys)) {
      const { inserted, merged } = await this.writeColumns(transaction, columns);
      sums.inserted += inserted;
      sums.merged += merged;
    }
    return sums;
  }

  private async writeColumns(transaction: SqlTransaction, columns: TelemetryColumns): Promise<WriteCounts> {
    if (this.checksLeft === 0) {
      if (await copyTelemetry(transaction, columns)) return { inserted: columns.gpuKeys.length, merged: 0 };
      this.checksLeft = checksAfterMerge;
    }
    const existing = await existingRecords(transaction, columns);
    this.checksLeft = existing.size > 0 ? checksAfterMerge : Math.max(0, this.checksLeft - 1);
    const rows = Array.from(columns.gpuKeys, (_, row) => row);
    const merging = rowsOf(
      columns,
      rows.filter((row) => existing.has(row)),
    );
    const added = rowsOf(
      columns,
      rows.filter((row) => !existing.has(row)),
    );
    // the upsert comes first: while a transaction waits for another's row, it has added no row that the other could wait for
    const counts = await upsertTelemetry(transaction, merging);
    if (await copyTelemetry(transaction, added)) return { ...counts, inserted: counts.inserted + added.gpuKeys.length };
    // another collector has stored some of the records meanwhile
    const lateCounts = await upsertTelemetry(transaction, added);
    return { inserted: counts.inserted + lateCounts.inserted, merged: counts.merged + lateCounts.merged };
  }
}

/** The records in parts, sorted by key and time: all collectors lock rows in the same order, which avoids deadlocks. */
function* columnsOf(batch: RecordBatch, keys: Float64Array): Generator<TelemetryColumns> {
  const order = sortedRecords(batch, keys);
  const custom = customByRecord(batch);
  for (let from = 0; from < order.length; from += recordsPerStatement) {
    const records = order.subarray(from, from + recordsPerStatement);
    yield {
      gpuKeys: taken(taken(records, batch.gpuIndexes), keys),
      timesMs: taken(records, batch.timesMs),
      metrics: Array.from(batch.columns, ([name, column]) => ({ name, values: taken(records, column) })),
      custom: Array.from(records, (record) => jsonOf(custom.get(record))),
      workloads: Array.from(
        records,
        (record) => batch.occupants[batch.occupantsIndexes[record] as number]?.[0] ?? noWorkload,
      ),
    };
  }
}

function rowsOf(columns: TelemetryColumns, rows: readonly number[]): TelemetryColumns {
  return {
    gpuKeys: taken(rows, columns.gpuKeys),
    timesMs: taken(rows, columns.timesMs),
    metrics: columns.metrics.map(({ name, values }) => ({ name, values: taken(rows, values) })),
    custom: rows.map((row) => columns.custom[row]),
    workloads: rows.map((row) => columns.workloads[row] ?? noWorkload),
  };
}

/** Elements of `values` by their indexes. */
function taken(indexes: ArrayLike<number>, values: ArrayLike<number>): Float64Array {
  const elements = new Float64Array(indexes.length);
  for (let at = 0; at < elements.length; at += 1) elements[at] = values[indexes[at] as number] as number;
  return elements;
}

function jsonOf(values: Readonly<Record<string, number>> | undefined): string | undefined {
  return values === undefined ? undefined : JSON.stringify(values);
}
