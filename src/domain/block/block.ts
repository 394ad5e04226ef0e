import type { Occupants } from "../gpu.ts";

/** Records in a row that report the same about their GPU, and have the same workloads. */
export interface Run {
  readonly records: number;
  /** See `reported_attributes`; null for records that are older than that table. */
  readonly attributesId: number | null;
  readonly occupants: Occupants;
}

/** Records of one GPU in the order of their instants, in columns of the same length. */
export interface Block {
  /** Milliseconds since the epoch. */
  readonly timesMs: Float64Array;
  /** Catalogue metric name -> a value for each record; NaN if the record has none. */
  readonly metrics: ReadonlyMap<string, Float64Array>;
  /** The same for metrics outside the catalogue, and for labelled series. */
  readonly others: ReadonlyMap<string, Float64Array>;
  /** The runs of all records, in order. */
  readonly runs: readonly Run[];
}

/** Some records of a block, as a block of their own. */
export function partOf({ timesMs, metrics, others, runs }: Block, from: number, to: number): Block {
  const columnsOf = (columns: ReadonlyMap<string, Float64Array>): Map<string, Float64Array> =>
    new Map(Array.from(columns, ([name, values]) => [name, values.subarray(from, to)]));
  const parts: Run[] = [];
  let at = 0;
  for (const run of runs) {
    const records = Math.min(to, at + run.records) - Math.max(from, at);
    if (records > 0) parts.push({ ...run, records });
    at += run.records;
  }
  return { timesMs: timesMs.subarray(from, to), metrics: columnsOf(metrics), others: columnsOf(others), runs: parts };
}
