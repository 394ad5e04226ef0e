import { emptyTally, type RecordBatch } from "./batch.ts";
import { keepRecords } from "./schema/keep-records.ts";
import type { SeriesEnd } from "./series-end.ts";
import { withUsedDictionaries } from "./used-dictionaries.ts";

/** Halves the records, rejected inputs and ends of a batch. Each half counts its own samples. All other counts, such as rows and
 *  missing values, are in the first half. The second half counts the reading: only its last message moves the source's position.
 *  @returns undefined if the batch has at most one element (a record, a rejected input or an end) */
export function splitBatch(batch: RecordBatch): [RecordBatch, RecordBatch] | undefined {
  const { ends = [], ...withoutEnds } = batch;
  const { recordCount, rejected, reading } = batch;
  if (recordCount + rejected.length + ends.length <= 1) return undefined;
  const records = Math.ceil(recordCount / 2);
  // a single record is in the first half: all rejected inputs are then in the second half, so that neither half is empty
  const rejections = recordCount === 1 ? 0 : Math.ceil(rejected.length / 2);
  // rounded down: a single end is in the second half, because a single record or input is in the first
  const ended = Math.floor(ends.length / 2);
  const first = keepRecords(
    {
      ...withoutEnds,
      ...endsOf(ends.slice(0, ended)),
      ...(reading && { reading: { ...reading, count: 0 } }),
      rejected: rejected.slice(0, rejections),
    },
    { keep: (record) => record < records, rejected: [] },
  );
  const second = keepRecords(
    { ...withoutEnds, ...endsOf(ends.slice(ended)), rejected: rejected.slice(rejections) },
    { keep: (record) => record >= records, rejected: [] },
  );
  const tally = { ...emptyTally, samples: batch.tally.samples - first.tally.samples };
  return [withUsedDictionaries(first), withUsedDictionaries({ ...second, tally })];
}

function endsOf(ends: readonly SeriesEnd[]): Pick<RecordBatch, "ends"> | undefined {
  return ends.length === 0 ? undefined : { ends };
}
