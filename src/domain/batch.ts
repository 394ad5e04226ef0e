import type { Gpu, Workload } from "./gpu.ts";

/** Why an input was not stored; a closed set, used as a metric label. */
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

/** Longest `value` and `raw` that are kept of a rejected input, characters. */
export const valueMaxLength = 200;
export const rawMaxLength = 2000;

/** An input that could not be used, with everything a person needs to find and mend it. */
export interface RejectedInput {
  /** Line in the file, from 1 (the header is line 1); 0 where the source has no lines. */
  readonly line: number;
  /** Byte offset of the row's first byte in the file; the source's own position elsewhere. */
  readonly byte: number;
  readonly reason: RejectReason;
  /** The column at fault; empty where the whole row is. */
  readonly field: string;
  /** The offending value, cut to 200 characters. */
  readonly value: string;
  /** One sentence: what is wrong and what would be right. */
  readonly message: string;
  /** The row as it was read, cut to 2,000 characters, NUL and bad UTF-8 shown as U+FFFD. */
  readonly raw: string;
}

/** What became of the input behind a batch; sums over batches give an import's report. */
export interface InputTally {
  /** Data rows read (header, blank lines and repeated headers are none). */
  readonly rows: number;
  /** Values kept: one metric of one GPU at one instant each. */
  readonly samples: number;
  /** Values that say 'no value' (empty, N/A, DCGM blanks). */
  readonly missing: number;
  /** Values that came again for the same GPU, instant and metric within the batch; the later one holds. */
  readonly duplicates: number;
  readonly blankLines: number;
  readonly repeatedHeaders: number;
}

/** A value of a metric that the catalogue does not know. */
export interface CustomValue {
  /** Index of the record in the batch. */
  readonly record: number;
  /** The metric's name as the input has it. */
  readonly metric: string;
  readonly value: number;
}

/** Records in columns: element i of every column belongs to record i.
 *  Each (GPU, instant) occurs once; samples of one GPU and instant are one record. */
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
  /** Catalogue metric name -> one value a record; NaN where the record has none. Never all NaN. */
  readonly columns: ReadonlyMap<string, Float64Array>;
  readonly custom: readonly CustomValue[];
  readonly rejected: readonly RejectedInput[];
  readonly tally: InputTally;
}

/** Values of metrics that the catalogue does not know, by record and name. */
export function customByRecord({ custom }: Pick<RecordBatch, "custom">): Map<number, Record<string, number>> {
  const byRecord = new Map<number, Record<string, number>>();
  for (const { record, metric, value } of custom) {
    const values = byRecord.get(record) ?? {};
    values[metric] = value;
    byRecord.set(record, values);
  }
  return byRecord;
}
