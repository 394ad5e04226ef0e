import { rawMaxLength, type RecordBatch, type RejectedInput, type RejectReason } from "../batch.ts";
import { cutText } from "../cut-text.ts";
import { metricIndexOf } from "../metrics.ts";
import { judgeValue } from "../value.ts";
import { keepRecords } from "./keep-records.ts";

const earliestMs = Date.UTC(2000, 0, 1);
const latestMs = Date.UTC(2100, 0, 1);

/** Why a record cannot be stored. */
interface RecordFault {
  readonly reason: RejectReason;
  readonly field: string;
  readonly value: string;
}

/** Checks a decoded batch before it is stored: whoever wrote it, the store gets only what it can hold.
 *  Records at fault move to `rejected`, the others go on.
 *  @returns the very batch where all is well */
export function validateBatch(batch: RecordBatch): RecordBatch {
  const faults = new Map<number, RecordFault>();
  checkRecords(batch, faults);
  for (const [metric, column] of batch.columns) checkColumn(metric, column, faults);
  for (const { record, metric, value } of batch.custom) {
    if (!Number.isFinite(value))
      addFault(faults, record, { reason: "invalid_record", field: metric, value: String(value) });
  }
  if (faults.size === 0) return batch;
  return keepRecords(batch, {
    keep: (record) => !faults.has(record),
    rejected: Array.from(faults, ([record, fault]) => rejectedRecord(batch, record, fault)),
  });
}

function checkRecords(batch: RecordBatch, faults: Map<number, RecordFault>): void {
  const seen = batch.gpus.map(() => new Set<number>());
  for (let record = 0; record < batch.recordCount; record += 1) {
    const timeMs = batch.timesMs[record] as number;
    const times = seen[batch.gpuIndexes[record] as number];
    const workload = batch.workloads[batch.workloadIndexes[record] as number];
    if (times === undefined) {
      addFault(faults, record, { reason: "invalid_record", field: "gpu", value: String(batch.gpuIndexes[record]) });
    } else if (workload === undefined) {
      addFault(faults, record, {
        reason: "invalid_record",
        field: "workload",
        value: String(batch.workloadIndexes[record]),
      });
    } else if (!(timeMs >= earliestMs && timeMs < latestMs)) {
      addFault(faults, record, { reason: "timestamp_out_of_range", field: "timestamp", value: String(timeMs) });
    } else if (times.has(timeMs)) {
      addFault(faults, record, { reason: "invalid_record", field: "timestamp", value: String(timeMs) });
    }
    times?.add(timeMs);
  }
}

function checkColumn(metric: string, column: Float64Array, faults: Map<number, RecordFault>): void {
  const index = metricIndexOf(metric) ?? -1;
  for (let record = 0; record < column.length; record += 1) {
    const value = column[record] as number;
    if (value !== value) continue; // NaN: the record does not have the metric
    if (judgeValue(index, value) !== "ok") {
      addFault(faults, record, { reason: "value_out_of_range", field: metric, value: String(value) });
    }
  }
}

function addFault(faults: Map<number, RecordFault>, record: number, fault: RecordFault): void {
  if (!faults.has(record)) faults.set(record, fault);
}

function rejectedRecord(batch: RecordBatch, record: number, { reason, field, value }: RecordFault): RejectedInput {
  const uuid = batch.gpus[batch.gpuIndexes[record] as number]?.uuid ?? "unknown";
  const message = `the record of GPU ${uuid} has ${field} ${value}, which cannot be stored`;
  const raw = JSON.stringify({
    uuid,
    timeMs: batch.timesMs[record],
    ...Object.fromEntries(Array.from(batch.columns, ([metric, column]) => [metric, column[record]])),
  });
  return { line: 0, byte: record, reason, field, value, message, raw: cutText(raw, rawMaxLength) };
}
