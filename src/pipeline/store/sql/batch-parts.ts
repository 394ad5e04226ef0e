import type { TelemetryColumns } from "../../../db/sql/telemetry-columns.ts";
import { customByRecord, type RecordBatch } from "../../../domain/batch.ts";
import { noOccupants } from "../../../domain/gpu.ts";
import { sortedRecords } from "./sorted-records.ts";

/** Records per statement: limits the memory of a statement's text. */
const recordsPerStatement = 10_000;

/** What is written of a batch's records. */
export type RecordColumns = Pick<
  RecordBatch,
  "recordCount" | "gpuIndexes" | "occupantsIndexes" | "timesMs" | "columns" | "custom" | "occupants"
>;

/** Records with the store's numbers for their GPUs. */
export interface KeyedRecords {
  readonly batch: RecordColumns;
  /** gpu_key by index in the batch's `gpus`, of every GPU that has records. */
  readonly keys: Float64Array;
  /** The id of a GPU's attributes, by index in the batch's `gpus`. */
  readonly attributesIds: Float64Array;
}

/** A batch with the store's numbers for its GPUs. */
export interface KeyedBatch extends KeyedRecords {
  readonly batch: RecordBatch;
}

/** Some records of a batch, or of several. */
export interface Part extends TelemetryColumns {
  /** The records' indexes in the batch. */
  readonly records: ArrayLike<number>;
}

/** The records in parts, sorted by key and time: all collectors lock rows in the same order, which avoids deadlocks. */
export function* partsOf({ batch, keys, attributesIds }: KeyedRecords): Generator<Part> {
  const order = sortedRecords(batch, keys);
  const custom = customByRecord(batch);
  for (let from = 0; from < order.length; from += recordsPerStatement) {
    const records = order.subarray(from, from + recordsPerStatement);
    const gpuIndexes = takenIndexes(records, batch.gpuIndexes);
    const occupantsIndexes = takenIndexes(records, batch.occupantsIndexes);
    yield {
      records,
      gpuKeys: taken(gpuIndexes, keys),
      timesMs: taken(records, batch.timesMs),
      metrics: Array.from(batch.columns, ([name, column]) => ({ name, values: taken(records, column) })),
      custom: mapped(records, (record) => jsonOf(custom.get(record))),
      occupants: mapped(occupantsIndexes, (index) => batch.occupants[index] ?? noOccupants),
      attributesIds: taken(gpuIndexes, attributesIds),
    };
  }
}

/** Some rows of a part, by their indexes. */
export function rowsOf(part: Part, rows: readonly number[]): Part {
  if (rows.length === part.records.length && rows.every((row, at) => row === at)) return part;
  const indexes = Uint32Array.from(rows);
  return {
    records: taken(indexes, part.records),
    gpuKeys: taken(indexes, part.gpuKeys),
    timesMs: taken(indexes, part.timesMs),
    metrics: part.metrics.map(({ name, values }) => ({ name, values: taken(indexes, values) })),
    custom: rows.map((row) => part.custom[row]),
    occupants: rows.map((row) => part.occupants[row] ?? noOccupants),
    attributesIds: taken(indexes, part.attributesIds),
  };
}

/** Elements of `values` by their indexes. */
function taken(indexes: ArrayLike<number>, values: ArrayLike<number>): Float64Array {
  if (indexes instanceof Uint32Array && values instanceof Float64Array) return takenDoubles(indexes, values);
  const elements = new Float64Array(indexes.length);
  for (let at = 0; at < elements.length; at += 1) elements[at] = values[indexes[at] as number] as number;
  return elements;
}

/** As `taken`, for one kind of arrays: the compiled code need not look which kind they are, and takes a fraction of the time. */
function takenDoubles(indexes: Uint32Array, values: Float64Array): Float64Array {
  const elements = new Float64Array(indexes.length);
  for (let at = 0; at < elements.length; at += 1) elements[at] = values[indexes[at] as number] as number;
  return elements;
}

/** As `takenDoubles`. */
function takenIndexes(indexes: Uint32Array, values: Uint32Array): Uint32Array {
  const elements = new Uint32Array(indexes.length);
  for (let at = 0; at < elements.length; at += 1) elements[at] = values[indexes[at] as number] as number;
  return elements;
}

/** Array.from would call an iterator for each element, and take several times as long. */
function mapped<T>(indexes: Uint32Array, elementOf: (index: number) => T): T[] {
  const elements = new Array<T>(indexes.length);
  for (let at = 0; at < elements.length; at += 1) elements[at] = elementOf(indexes[at] as number);
  return elements;
}

function jsonOf(values: Readonly<Record<string, number>> | undefined): string | undefined {
  return values === undefined ? undefined : JSON.stringify(values);
}
