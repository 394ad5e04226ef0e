import type { SqlTransaction } from "../../db/client.ts";
import { copyTelemetry } from "../../db/sql/copy-telemetry.ts";
import { type TelemetryColumns, upsertTelemetry } from "../../db/sql/upsert-telemetry.ts";
import { customByRecord, type RecordBatch } from "../../domain/batch.ts";
import type { Workload } from "../../domain/gpu.ts";

/** Records a statement takes: bounds the memory of the statement's text. */
const recordsPerStatement = 10_000;
/** Batches after one with records that were there already, for which nothing else is expected: an input that spreads
 *  records over batches does so again and again. */
const mergingBatches = 32;

/** What became of a batch's records. */
export interface WriteCounts {
  readonly inserted: number;
  readonly merged: number;
}

/** Writes records: by COPY where they are all new, as those of live sources are; else by an upsert that merges them.
 *
 *  COPYING -a record is there already-> MERGING -32 batches-> COPYING */
export class TelemetryWriter {
  private mergingLeft = 0;

  /** @param keys uuid -> gpu_key, of every GPU of the batch that has records */
  async write(
    transaction: SqlTransaction,
    batch: RecordBatch,
    keys: ReadonlyMap<string, number>,
  ): Promise<WriteCounts> {
    const sums = { inserted: 0, merged: 0 };
    for (const columns of columnsOf(batch, keys)) {
      const { inserted, merged } = await this.writeColumns(transaction, columns);
      sums.inserted += inserted;
      sums.merged += merged;
    }
    return sums;
  }

  private async writeColumns(transaction: SqlTransaction, columns: TelemetryColumns): Promise<WriteCounts> {
    if (this.mergingLeft === 0) {
      if (await copyTelemetry(transaction, columns)) return { inserted: columns.gpuKeys.length, merged: 0 };
      this.mergingLeft = mergingBatches;
    }
    this.mergingLeft = Math.max(0, this.mergingLeft - 1);
    return upsertTelemetry(transaction, columns);
  }
}

/** The records in parts, sorted by key and time: two collectors lock rows in the same order and never wait in a ring. */
function* columnsOf(batch: RecordBatch, keys: ReadonlyMap<string, number>): Generator<TelemetryColumns> {
  const keyOf = batch.gpus.map(({ uuid }) => keys.get(uuid) ?? NaN);
  const order = Array.from({ length: batch.recordCount }, (_, record) => record).sort(
    (a, b) =>
      (keyOf[batch.gpuIndexes[a] as number] as number) - (keyOf[batch.gpuIndexes[b] as number] as number) ||
      (batch.timesMs[a] as number) - (batch.timesMs[b] as number),
  );
  const custom = customByRecord(batch);
  for (let from = 0; from < order.length; from += recordsPerStatement) {
    const records = order.slice(from, from + recordsPerStatement);
    yield {
      gpuKeys: records.map((record) => keyOf[batch.gpuIndexes[record] as number] as number),
      timesMs: records.map((record) => batch.timesMs[record] as number),
      metrics: Array.from(batch.columns, ([name, column]) => ({
        name,
        values: records.map((record) => column[record] as number),
      })),
      custom: records.map((record) => jsonOf(custom.get(record))),
      workloads: records.map((record) => batch.workloads[batch.workloadIndexes[record] as number] as Workload),
    };
  }
}

function jsonOf(values: Readonly<Record<string, number>> | undefined): string | undefined {
  return values === undefined ? undefined : JSON.stringify(values);
}
