import type { Gpu, Workload } from "./gpu.ts";

/** Why an input was not stored. The set is closed, because instruments have the reason as a label. */
export const rejectReasons = [
  "wrong_column_count",
  "malformed_quotes",
  "record_too_large",
  "invalid_utf8",
  "nul_byte",
  "missing_field",
  "invalid_timestamp",
  "timestamp_out_of_range",
  "invalid_gpu_id",
  "invalid_field",
  "invalid_value",
  "value_out_of_range",
  "invalid_record",
] as const;
export type RejectReason = (typeof rejectReasons)[number];

/** The longest `value` of a rejected input, in characters. */
export const valueMaxLength = 200;
/** The longest `raw` of a rejected input, in characters. */
export const rawMaxLength = 2000;

/** An input that could not be used, with the facts that a person needs to find and correct it. */
export interface RejectedInput {
  /** Line in the file, from 1 (the header is line 1); 0 if the input is not a line of a file. */
  readonly line: number;
  /** Offset of the row's first byte in the file; for a record or sample of a message, its index in the message. */
  readonly byte: number;
  readonly reason: RejectReason;
  /** The column with the error; empty if the whole row is wrong. */
  readonly field: string;
  /** The offending value, cut to 200 characters. */
  readonly value: string;
  /** One sentence that explains the error. */
  readonly message: string;
  /** The row as it was read, or a record or sample as JSON; cut to 2,000 characters. NUL and bad UTF-8 are shown as U+FFFD. */
  readonly raw: string;
}

/** Counts of the input from which a batch was read. The report of an import has the sums over all batches. */
export interface InputTally {
  /** Data rows read, without the header, repeated headers and blank lines. */
  readonly rows: number;
  /** Samples in the batch: values of one metric of one GPU at one instant. */
  readonly samples: number;
  /** Values that mean 'no value' (empty, N/A, DCGM blanks). */
  readonly missing: number;
  /** Values that were repeated for the same GPU, instant and metric within the batch; the batch has the last value. */
  readonly duplicates: number;
  readonly blankLines: number;
  readonly repeatedHeaders: number;
}

/** A value of a metric that is not in the catalogue. */
export interface CustomValue {
  /** Index of the record in the batch. */
  readonly record: number;
  /** The metric's name, as written in the input. */
  readonly metric: string;
  readonly value: number;
}

/** Records in columns: element i of every column belongs to record i.
 *  All samples of one GPU and instant are one record, so each pair of GPU and instant occurs once. */
export interface RecordBatch {
  readonly recordCount: number;
  /** Dictionary; each uuid occurs once. */
  readonly gpus: readonly Gpu[];
  /** Dictionary; element 0 is always `noWorkload`. */
  readonly workloads: readonly Workload[];
  /** Per record: index into `gpus`. */
  readonly gpuIndexes: Uint32Array;
  /** Per record: index into `workloads`. */
  readonly workloadIndexes: Uint32Array;
  /** Per record: instant, milliseconds since the epoch. */
  readonly timesMs: Float64Array;
  /** Name of a catalogue metric -> one value for each record; NaN if the record has none. No column is all NaN. */
  readonly columns: ReadonlyMap<string, Float64Array>;
  readonly custom: readonly CustomValue[];
  readonly rejected: readonly RejectedInput[];
  readonly tally: InputTally;
}

/** Values of metrics that are not in the catalogue, by the record's index and the metric's name. */
export function customByRecord({ custom }: Pick<RecordBatch, "custom">): Map<number, Record<string, number>> {
  const byRecord = new Map<number, Record<string, number>>();
  for (const { record, metric, value } of custom) {
    const values = byRecord.get(record) ?? {};
    values[metric] = value;
    byRecord.set(record, values);
  }
  return byRecord;
}
