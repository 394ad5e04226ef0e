import type { CustomValue, RecordBatch, RejectedInput } from "../batch.ts";
import { countSamples } from "../fold.ts";

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
  for (const [metric, column] of batch.columns) {
    const values = Float64Array.from(oldIndexes, (record) => column[record] as number);
    if (values.some((value) => value === value)) columns.set(metric, values); // NaN: the record has no value
  }
  const kept = (values: readonly CustomValue[]): CustomValue[] =>
    values.flatMap((value) => {
      const record = newIndexOf.get(value.record);
      return record === undefined ? [] : [{ ...value, record }];
    });
  const custom = kept(batch.custom);
  return {
    ...batch,
    recordCount: oldIndexes.length,
    gpuIndexes: Uint32Array.from(oldIndexes, (record) => batch.gpuIndexes[record] as number),
    occupantsIndexes: Uint32Array.from(oldIndexes, (record) => batch.occupantsIndexes[record] as number),
    timesMs: Float64Array.from(oldIndexes, (record) => batch.timesMs[record] as number),
    columns,
    custom,
    conflicting: batch.conflicting && kept(batch.conflicting),
    rejected: [...batch.rejected, ...rejected],
    tally: { ...batch.tally, samples: countSamples(columns, custom) },
  };
}
