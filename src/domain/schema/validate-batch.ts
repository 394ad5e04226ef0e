import { rawMaxLength, type RecordBatch, type RejectedInput, type RejectReason } from "../batch.ts";
import { cutText } from "../cut-text.ts";
import { missingIdentity } from "../field-rules.ts";
import type { Gpu } from "../gpu.ts";
import { metricIndexOf } from "../metrics.ts";
import { migInstanceOf } from "../mig-instance.ts";
import { judgeNumber } from "../value-text.ts";
import { keepRecords } from "./keep-records.ts";
import { withoutBlanks } from "./without-blanks.ts";

const earliestMs = Date.UTC(2000, 0, 1);
const latestMs = Date.UTC(2100, 0, 1);

/** Why a record cannot be stored. */
interface RecordError {
  readonly reason: RejectReason;
  readonly field: string;
  readonly value: string;
}

/** Validates a decoded batch, whichever process wrote it, so that the store receives only records that it can store. A value that
 *  means 'no value', which an older version may have sent, is removed and counted as missing. Ends that it cannot store are left out.
 *  @returns the same batch if all its records can be stored; otherwise a copy in which each record that cannot be
 *  stored has become a rejected input, with the first error that was found */
export function validateBatch(batch: RecordBatch): RecordBatch {
  const errors = new Map<number, RecordError>();
  checkRecords(batch, errors);
  for (const [metric, column] of batch.columns) {
    if (checkColumn(metric, column, errors) === "missing") return validateBatch(withoutBlanks(batch));
  }
  for (const { record, metric, value } of batch.custom) {
    const judged = judgeNumber(metric, value);
    if (judged === "missing") return validateBatch(withoutBlanks(batch));
    if (judged === "out_of_range")
      addError(errors, record, { reason: "invalid_record", field: metric, value: String(value) });
  }
  const ended = withStorableEnds(batch);
  if (errors.size === 0) return ended;
  return keepRecords(ended, {
    keep: (record) => !errors.has(record),
    rejected: Array.from(errors, ([record, error]) => rejectedRecord(batch, record, error)),
  });
}

/** @returns the same batch if all its ends can be stored */
function withStorableEnds(batch: RecordBatch): RecordBatch {
  const { ends, ...others } = batch;
  const isInstant = (timeMs: number): boolean => timeMs >= earliestMs && timeMs < latestMs;
  const kept = ends?.filter(({ timeMs, sinceMs = timeMs }) => isInstant(timeMs) && isInstant(sinceMs));
  return kept === undefined || kept.length === ends?.length ? batch : { ...others, ends: kept };
}

function checkRecords(batch: RecordBatch, errors: Map<number, RecordError>): void {
  const seen = timesByGpu(batch);
  const identities = batch.gpus.map(identityError);
  for (let record = 0; record < batch.recordCount; record += 1) {
    const timeMs = batch.timesMs[record] as number;
    const times = seen[batch.gpuIndexes[record] as number];
    const occupants = batch.occupants[batch.occupantsIndexes[record] as number];
    if (times === undefined) {
      addError(errors, record, { reason: "invalid_record", field: "gpu", value: String(batch.gpuIndexes[record]) });
    } else if (identities[batch.gpuIndexes[record] as number] !== undefined) {
      addError(errors, record, identities[batch.gpuIndexes[record] as number] as RecordError);
    } else if (occupants === undefined) {
      addError(errors, record, {
        reason: "invalid_record",
        field: "workload",
        value: String(batch.occupantsIndexes[record]),
      });
    } else if (!(timeMs >= earliestMs && timeMs < latestMs)) {
      addError(errors, record, { reason: "timestamp_out_of_range", field: "timestamp", value: String(timeMs) });
    } else if (times.has(timeMs)) {
      addError(errors, record, { reason: "invalid_record", field: "timestamp", value: String(timeMs) });
    }
    times?.add(timeMs);
  }
}

/** Streamers of older versions accept a uuid such as N/A, also that of an instance's GPU. */
function identityError({ uuid, hostname }: Gpu): RecordError | undefined {
  return (
    missingIdentity("uuid", migInstanceOf(uuid)?.parentUuid ?? uuid, "uuid") ??
    missingIdentity("hostname", hostname, "hostname")
  );
}

/** For each element of the batch's `gpus`, an empty set; elements with the same uuid share one set. */
function timesByGpu({ gpus }: RecordBatch): Set<number>[] {
  const byUuid = new Map<string, Set<number>>();
  return gpus.map(({ uuid }) => {
    const times = byUuid.get(uuid) ?? new Set<number>();
    byUuid.set(uuid, times);
    return times;
  });
}

/** @returns "missing" as soon as a value means 'no value' */
function checkColumn(metric: string, column: Float64Array, errors: Map<number, RecordError>): "missing" | undefined {
  const index = metricIndexOf(metric) ?? metric;
  for (let record = 0; record < column.length; record += 1) {
    const value = column[record] as number;
    if (value !== value) continue; // NaN: the record does not have the metric
    const judged = judgeNumber(index, value);
    if (judged === "missing") return judged;
    if (judged === "out_of_range") {
      addError(errors, record, { reason: "value_out_of_range", field: metric, value: String(value) });
    }
  }
  return undefined;
}

function addError(errors: Map<number, RecordError>, record: number, error: RecordError): void {
  if (!errors.has(record)) errors.set(record, error);
}

function rejectedRecord(batch: RecordBatch, record: number, { reason, field, value }: RecordError): RejectedInput {
  const uuid = batch.gpus[batch.gpuIndexes[record] as number]?.uuid ?? "unknown";
  const message = `the record of GPU ${uuid} has ${field} ${value}, which cannot be stored`;
  const raw = JSON.stringify({
    uuid,
    timeMs: batch.timesMs[record],
    ...Object.fromEntries(Array.from(batch.columns, ([metric, column]) => [metric, column[record]])),
  });
  return { line: 0, byte: record, reason, field, value, message, raw: cutText(raw, rawMaxLength) };
}
