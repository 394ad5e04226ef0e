import type { Gpu, Occupants } from "./gpu.ts";
import type { SourceReading } from "./reading.ts";
import type { SeriesEnd } from "./series-end.ts";

/** Why an input was not stored. The set is closed, because instruments have the reason as a label. */
export const rejectReasons = [
  "wrong_column_count",
  "other_header",
  "malformed_quotes",
  "malformed_line",
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
  "uuid_on_two_hosts",
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
  /** Values that were repeated for the same GPU, instant and series within the batch. */
  readonly duplicates: number;
  /** Values that differ from another value of the same GPU, instant and series; the greatest of them is kept. */
  readonly conflicts: number;
  readonly blankLines: number;
  readonly repeatedHeaders: number;
}

/** The counts of no input. */
export const emptyTally: InputTally = {
  rows: 0,
  samples: 0,
  missing: 0,
  duplicates: 0,
  conflicts: 0,
  blankLines: 0,
  repeatedHeaders: 0,
};

/** A value of a metric that is not in the catalogue, or of a labelled series of any metric. */
export interface CustomValue {
  /** Index of the record in the batch. */
  readonly record: number;
  /** The metric's name, as written in the input; the name of a series (see series.ts) if the value has series labels. */
  readonly metric: string;
  readonly value: number;
}

/** Records in columns: element i of every column belongs to record i.
 *  All samples of one GPU and instant are one record, so each pair of uuid and instant occurs once. */
export interface RecordBatch {
  readonly recordCount: number;
  /** Dictionary; a uuid occurs once for each set of attributes that the GPU has in the batch. */
  readonly gpus: readonly Gpu[];
  /** Dictionary; element 0 is always `noOccupants`. */
  readonly occupants: readonly Occupants[];
  /** Per record: index into `gpus`, of the GPU with its attributes at the record's instant. */
  readonly gpuIndexes: Uint32Array;
  /** Per record: index into `occupants`. */
  readonly occupantsIndexes: Uint32Array;
  /** Per record: instant, milliseconds since the epoch. */
  readonly timesMs: Float64Array;
  /** Name of a catalogue metric -> one value for each record; NaN if the record has none. No column is all NaN. */
  readonly columns: ReadonlyMap<string, Float64Array>;
  readonly custom: readonly CustomValue[];
  /** The values that are not the greatest of their series and record: those that `conflicts` of the tally counts. Undefined in
   *  messages of earlier versions, which do not say which values these are. */
  readonly conflicting: readonly CustomValue[] | undefined;
  readonly rejected: readonly RejectedInput[];
  readonly tally: InputTally;
  /** What became of the due readings of a live source that this batch stands for; absent for a source without a schedule. */
  readonly reading?: SourceReading;
  /** The ends of series that the source tells, each device and instant once; absent: none. */
  readonly ends?: readonly SeriesEnd[];
}

/** The custom values of each record that has any, by the record's index. `__proto__` is a name like any other. */
export function customByRecord({ custom }: Pick<RecordBatch, "custom">): Map<number, Record<string, number>> {
  const entriesOf = new Map<number, (readonly [string, number])[]>();
  for (const { record, metric, value } of custom) {
    const entries = entriesOf.get(record);
    if (entries === undefined) entriesOf.set(record, [[metric, value]]);
    else entries.push([metric, value]);
  }
  return new Map(Array.from(entriesOf, ([record, entries]) => [record, Object.fromEntries(entries)]));
}
