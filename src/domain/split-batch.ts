import { emptyTally, type RecordBatch } from "./batch.ts";
import { keepRecords } from "./schema/keep-records.ts";
import { withUsedDictionaries } from "./used-dictionaries.ts";

/** Halves the records and rejected inputs of a batch. Each half counts its own samples. All other counts, such as rows and
 *  missing values, are in the first half. The second half counts the reading: only its last message moves the source's position.
 *  @returns undefined if the batch has at most one element (a record or a rejected input) */
export function splitBatch(batch: RecordBatch): [RecordBatch, RecordBatch] | undefined {
  const { recordCount, rejected, reading } = batch;
  if (recordCount + rejected.length <= 1) return undefined;
  const records = Math.ceil(recordCount / 2);
  // a single record is in the first half: all rejected inputs are then in the second half, so that neither half is empty
  const rejections = recordCount === 1 ? 0 : Math.ceil(rejected.length / 2);
  const first = keepRecords(
    { ...batch, ...(reading && { reading: { ...reading, count: 0 } }), rejected: rejected.slice(0, rejections) },
    { keep: (record) => record < records, rejected: [] },
  );
  const second = keepRecords(
    { ...batch, rejected: rejected.slice(rejections) },
    { keep: (record) => record >= records, rejected: [] },
  );
  const tally = { ...emptyTally, samples: batch.tally.samples - first.tally.samples };
  return [withUsedDictionaries(first), withUsedDictionaries({ ...second, tally })];
}
