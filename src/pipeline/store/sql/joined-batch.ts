import type { CustomValue, RecordBatch } from "../../../domain/batch.ts";
import type { KeyedBatch, KeyedRecords, RecordColumns } from "./batch-parts.ts";

/** The records of one batch, or of several after each other. */
export interface JoinedBatch {
  readonly records: KeyedRecords;
  /** The index of each batch's first record. */
  readonly firstRecords: readonly number[];
}

/** Joins the records of batches that have no record in common, so that they can be written by one statement. */
export function joinBatches(parts: readonly KeyedBatch[]): JoinedBatch {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return { records: first, firstRecords: [0] };
  const batches = parts.map(({ batch }) => batch);
  const firstRecords = firstOf(batches.map(({ recordCount }) => recordCount));
  const recordCount = batches.reduce((sum, batch) => sum + batch.recordCount, 0);
  const joined: RecordColumns = {
    recordCount,
    gpuIndexes: indexes(batches, "gpuIndexes", firstOf(batches.map(({ gpus }) => gpus.length))),
    occupantsIndexes: indexes(batches, "occupantsIndexes", firstOf(batches.map(({ occupants }) => occupants.length))),
    timesMs: doubles(batches.map(({ timesMs }) => timesMs)),
    columns: columnsOf(batches, { firstRecords, recordCount }),
    custom: batches.flatMap(({ custom }, index) => shifted(custom, firstRecords[index] as number)),
    occupants: batches.flatMap(({ occupants }) => occupants),
  };
  const keys = doubles(parts.map((part) => part.keys));
  return {
    records: { batch: joined, keys, attributesIds: doubles(parts.map((part) => part.attributesIds)) },
    firstRecords,
  };
}

/** The sums of the lengths before each. */
function firstOf(lengths: readonly number[]): number[] {
  let sum = 0;
  return lengths.map((length) => (sum += length) - length);
}

function indexes(
  batches: readonly RecordBatch[],
  field: "gpuIndexes" | "occupantsIndexes",
  firsts: readonly number[],
): Uint32Array {
  const joined = new Uint32Array(batches.reduce((sum, batch) => sum + batch.recordCount, 0));
  let at = 0;
  batches.forEach((batch, index) => {
    const first = firsts[index] as number;
    for (const value of batch[field]) {
      joined[at] = value + first;
      at += 1;
    }
  });
  return joined;
}

function doubles(arrays: readonly Float64Array[]): Float64Array {
  const joined = new Float64Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}

function columnsOf(
  batches: readonly RecordBatch[],
  { firstRecords, recordCount }: { readonly firstRecords: readonly number[]; readonly recordCount: number },
): Map<string, Float64Array> {
  const columns = new Map<string, Float64Array>();
  batches.forEach((batch, index) => {
    for (const [name, values] of batch.columns) {
      let column = columns.get(name);
      if (column === undefined) columns.set(name, (column = new Float64Array(recordCount).fill(NaN)));
      column.set(values, firstRecords[index]);
    }
  });
  return columns;
}

function shifted(custom: readonly CustomValue[], by: number): CustomValue[] {
  return custom.map((value) => ({ ...value, record: value.record + by }));
}
