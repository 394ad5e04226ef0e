import type { RecordBatch, RejectedInput } from "../batch.ts";

/** The records to keep, and the rejected inputs that replace the other records. */
export interface RecordSelection {
  readonly keep: (record: number) => boolean;
  /** Added to the batch's own rejected inputs. */
  readonly rejected: readonly RejectedInput[];
}

/** @returns a copy of the batch with only the selected records; its tally counts the samples of these records, and keeps all
 *  other counts of the batch */
export function keepRecords(batch: RecordBatch, { keep, rejected }: RecordSelection): RecordBatch {
  const oldIndexes: number[] = [];
  const newIndexOf = new Map<number, number>();
  for (let record = 0; record < batch.recordCount; record += 1) {
    if (keep(record)) newIndexOf.set(record, oldIndexes.push(record) - 1);
  }
  const columns = new Map<string, Float64Array>();
  let samples = 0;
  for (const [metric, column] of batch.columns) {
    const values = Float64Array.from(oldIndexes, (record) => column[record] as number);
    const present = values.reduce((count, value) => (value === value ? count + 1 : count), 0);
    if (present > 0) columns.set(metric, values);
    samples += present;
  }
  const custom = batch.custom.flatMap((value) => {
    const record = newIndexOf.get(value.record);
    return record === undefined ? [] : [{ ...value, record }];
  });
  return {
    ...batch,
    recordCount: oldIndexes.length,
    gpuIndexes: Uint32Array.from(oldIndexes, (record) => batch.gpuIndexes[record] as number),
    workloadIndexes: Uint32Array.from(oldIndexes, (record) => batch.workloadIndexes[record] as number),
    timesMs: Float64Array.from(oldIndexes, (record) => batch.timesMs[record] as number),
    columns,
    custom,
    rejected: [...batch.rejected, ...rejected],
    tally: { ...batch.tally, samples: samples + custom.length },
  };
}
