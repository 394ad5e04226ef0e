import type { RecordBatch, RejectedInput } from "../batch.ts";

/** Which records are kept, and the rejected inputs of the others. */
export interface RecordSelection {
  readonly keep: (record: number) => boolean;
  /** Added to the batch's own rejected inputs. */
  readonly rejected: readonly RejectedInput[];
}

/** A copy of the batch with some of its records. The samples of the others are not in its tally. */
export function keepRecords(batch: RecordBatch, { keep, rejected }: RecordSelection): RecordBatch {
  const kept: number[] = [];
  const newIndexOf = new Map<number, number>();
  for (let record = 0; record < batch.recordCount; record += 1) {
    if (keep(record)) newIndexOf.set(record, kept.push(record) - 1);
  }
  const columns = new Map<string, Float64Array>();
  let samples = 0;
  for (const [metric, column] of batch.columns) {
    const values = Float64Array.from(kept, (record) => column[record] as number);
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
    recordCount: kept.length,
    gpuIndexes: Uint32Array.from(kept, (record) => batch.gpuIndexes[record] as number),
    workloadIndexes: Uint32Array.from(kept, (record) => batch.workloadIndexes[record] as number),
    timesMs: Float64Array.from(kept, (record) => batch.timesMs[record] as number),
    columns,
    custom,
    rejected: [...batch.rejected, ...rejected],
    tally: { ...batch.tally, samples: samples + custom.length },
  };
}
