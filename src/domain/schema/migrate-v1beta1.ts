import { type RecordBatch, rawMaxLength, valueMaxLength } from "../batch.ts";
import { BatchBuilder } from "../batch-builder.ts";
import { cutText } from "../cut-text.ts";
import { type FieldError, invalidText, missingField, missingIdentity, parseGpuId } from "../field-rules.ts";
import { metricIndexOf } from "../metrics.ts";
import { parseTimestamp } from "../timestamp.ts";
import { readValue } from "../value-text.ts";
import type { PayloadV1Beta1 } from "./payload-v1beta1.ts";

type Sample = PayloadV1Beta1["samples"][number];

/** A sample that cannot be used, with the error of its first bad field. */
class UnusableSample extends Error {
  constructor(readonly fieldError: FieldError) {
    super(fieldError.message);
  }
}

/** Converts a payload of schema `v1beta1` to a batch. A bad sample becomes a rejected input and affects no other sample. */
export function migrateV1Beta1(payload: PayloadV1Beta1): RecordBatch {
  const builder = new BatchBuilder();
  payload.samples.forEach((sample, index) => {
    builder.count("rows");
    builder.moveTo(0, index);
    try {
      addSample(builder, sample, payload.cluster_id);
    } catch (error) {
      if (!(error instanceof UnusableSample)) throw error;
      const { fieldError } = error;
      const raw = cutText(JSON.stringify(sample), rawMaxLength);
      builder.reject({ ...fieldError, line: 0, byte: index, value: cutText(fieldError.value, valueMaxLength), raw });
    }
  });
  return builder.build();
}

function addSample(builder: BatchBuilder, sample: Sample, clusterId: string): void {
  const text = (field: keyof Sample): string => usable(textOf(sample, field));
  const timeMs = timeOf(sample.timestamp ?? "");
  const metric = usable(requiredTextOf(sample, "metric_name"));
  const gpu = {
    uuid: usable(identityOf(sample, "uuid")),
    clusterId,
    hostname: usable(identityOf(sample, "hostname")),
    gpuId: usable(parseGpuId("gpu_id", String(sample.gpu_id ?? ""))),
    device: text("device"),
    modelName: text("model_name"),
    driverVersion: text("driver_version"),
    properties: {},
  };
  const workload = { container: text("container"), pod: text("pod"), namespace: text("namespace") };
  const index = metricIndexOf(metric);
  const value = valueOf(index ?? metric, String(sample.value ?? ""));
  if (value === "missing") {
    builder.count("missing");
    return;
  }
  const record = builder.record(builder.gpuIndex(gpu), timeMs, builder.workloadIndex(workload));
  if (index === undefined) builder.setCustom(record, metric, value);
  else builder.set(record, index, value);
}

function textOf(sample: Sample, field: keyof Sample): string | FieldError {
  const text = String(sample[field] ?? "").trim();
  return invalidText(field, text) ?? text;
}

function requiredTextOf(sample: Sample, field: keyof Sample): string | FieldError {
  const text = textOf(sample, field);
  return text === "" ? missingField(field) : text;
}

function identityOf(sample: Sample, field: "uuid" | "hostname"): string | FieldError {
  const text = textOf(sample, field);
  return typeof text === "object" ? text : (missingIdentity(field, text, field) ?? text);
}

function timeOf(text: string): number {
  const parsed = parseTimestamp(text);
  if ("ms" in parsed) return parsed.ms;
  throw new UnusableSample({ reason: parsed.reason, field: "timestamp", value: text, message: parsed.message });
}

function valueOf(metric: number | string, text: string): number | "missing" {
  const read = readValue(metric, text);
  if (typeof read === "object") throw new UnusableSample({ ...read, field: "value", value: text });
  return read;
}

function usable<T extends string | number>(read: T | FieldError): T {
  if (typeof read === "object") throw new UnusableSample(read);
  return read;
}
