import type { InputTally, RecordBatch } from "../batch.ts";
import { UndecodablePayload } from "../errors.ts";
import { toGpuColumns, withGpuColumns } from "./gpus-v1.ts";
import { fromOccupantColumns, toOccupantColumns } from "./occupants-v1.ts";
import type { PayloadV1 } from "./payload-v1.ts";
import { fromReadingV1, toReadingV1 } from "./reading-v1.ts";

type Column = PayloadV1["columns"][number];

/** Encodes a batch as the payload `v1`. */
export function toPayloadV1(batch: RecordBatch): PayloadV1 {
  const { gpuIndexes, ...gpuColumns } = toGpuColumns(batch);
  const { workloads, ...occupantColumns } = toOccupantColumns(batch);
  return {
    records: batch.recordCount,
    ...gpuColumns,
    workloads,
    gpuSteps: stepsOf(gpuIndexes),
    timeStepsMs: stepsOf(batch.timesMs),
    ...occupantColumns,
    columns: Array.from(batch.columns, ([metric, values]) => toColumn(metric, values)),
    custom: batch.custom as PayloadV1["custom"],
    ...toConflicting(batch),
    rejected: batch.rejected as PayloadV1["rejected"],
    tally: toTally(batch.tally),
    ...(batch.reading && { reading: toReadingV1(batch.reading, gpuColumns.gpus) }),
    ...(batch.ends && { ends: batch.ends as NonNullable<PayloadV1["ends"]> }),
  };
}

function toTally({ conflicts, ...tally }: InputTally): PayloadV1["tally"] {
  return conflicts === 0 ? tally : { ...tally, conflicts };
}

/** Decodes the payload `v1`.
 *  @throws UndecodablePayload if lengths in the payload contradict each other, two columns have the same metric, a value is beyond
 *    the last record, or a frozen device beyond the last GPU */
export function fromPayloadV1(payload: PayloadV1): RecordBatch {
  const { records } = payload;
  checkLength("gpuSteps", payload.gpuSteps.length, records);
  checkLength("timeStepsMs", payload.timeStepsMs.length, records);
  for (const name of ["workloadIndexes", "sharingIndexes", "variantIndexes"] as const) {
    const indexes = payload[name];
    if (indexes !== undefined) checkLength(name, indexes.length, records);
  }
  const gpuIndexes = Uint32Array.from(fromSteps(payload.gpuSteps));
  const batch: RecordBatch = {
    recordCount: records,
    gpus: payload.gpus,
    ...fromOccupantColumns(payload),
    gpuIndexes,
    timesMs: fromSteps(payload.timeStepsMs),
    columns: fromColumns(payload),
    custom: fromCustom(payload.custom, records),
    conflicting:
      payload.conflicting === undefined ? noConflicting(payload.tally) : fromCustom(payload.conflicting, records),
    rejected: payload.rejected,
    tally: { conflicts: 0, ...payload.tally },
    ...(payload.reading && { reading: fromReadingV1(payload.reading, payload.gpus) }),
    ...(payload.ends && { ends: payload.ends }),
  };
  return withGpuColumns(batch, { ...payload, gpuIndexes });
}

function checkLength(column: string, length: number, records: number): void {
  if (length !== records)
    throw contradiction(`the length of ${column} is ${length}, but the number of records is ${records}`);
}

function contradiction(reason: string): UndecodablePayload {
  return new UndecodablePayload(`payload of schema v1 contradicts itself: ${reason}`);
}

function stepsOf(values: Uint32Array | Float64Array): number[] {
  const steps = new Array<number>(values.length);
  let previous = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    steps[i] = value - previous;
    previous = value;
  }
  return steps;
}

function fromSteps(steps: readonly number[]): Float64Array {
  const values = new Float64Array(steps.length);
  let value = 0;
  for (let i = 0; i < steps.length; i += 1) values[i] = value += steps[i] as number;
  return values;
}

function toColumn(metric: string, column: Float64Array): Column {
  const at: number[] = [];
  const values: number[] = [];
  let isConstant = true;
  for (let i = 0; i < column.length; i += 1) {
    const value = column[i] as number;
    if (value !== value) continue; // NaN: no value
    at.push(i);
    values.push(value);
    if (value !== values[0]) isConstant = false;
  }
  return {
    metric,
    ...(at.length === column.length ? {} : { at: stepsOf(Uint32Array.from(at)) }),
    ...(isConstant && values.length > 0 ? { same: values[0] as number } : { values }),
  };
}

function fromColumns({ columns, records }: PayloadV1): RecordBatch["columns"] {
  const byMetric = new Map<string, Float64Array>();
  for (const column of columns) {
    if (byMetric.has(column.metric)) throw contradiction(`${column.metric} has two columns`);
    byMetric.set(column.metric, fromColumn(column, records));
  }
  return byMetric;
}

function toConflicting({ conflicting, tally }: RecordBatch): Pick<PayloadV1, "conflicting"> {
  // the parts of a split batch leave the count to the first part
  if (conflicting === undefined || (conflicting.length === 0 && tally.conflicts === 0)) return {};
  return { conflicting: conflicting as NonNullable<PayloadV1["conflicting"]> };
}

function noConflicting({ conflicts = 0 }: PayloadV1["tally"]): RecordBatch["conflicting"] {
  return conflicts === 0 ? [] : undefined;
}

function fromCustom(values: PayloadV1["custom"], records: number): RecordBatch["custom"] {
  const beyond = values.find(({ record }) => record >= records);
  if (beyond === undefined) return values;
  throw valueBeyond(beyond.metric, beyond.record, records);
}

function valueBeyond(metric: string, record: number, records: number): UndecodablePayload {
  return contradiction(`${metric} has a value at index ${record}, but the number of records is ${records}`);
}

function fromColumn({ metric, at, values, same }: Column, records: number): Float64Array {
  const count = at?.length ?? records;
  if (same === undefined) checkLength(`the column of ${metric}`, values?.length ?? 0, count);
  const column = new Float64Array(records).fill(NaN);
  let record = -1;
  for (let i = 0; i < count; i += 1) {
    record = at === undefined ? i : i === 0 ? (at[0] as number) : record + (at[i] as number);
    if (record >= records) throw valueBeyond(metric, record, records);
    column[record] = same ?? (values?.[i] as number);
  }
  return column;
}
