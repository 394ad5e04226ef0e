import type { RecordBatch } from "../batch.ts";
import { BatchBuilder } from "../batch-builder.ts";
import { metricIndexOf } from "../metrics.ts";
import { type Checked, checkGpuId, checkText, checkTimestamp, checkValue, type FieldFault } from "../sample-rules.ts";
import type { PayloadV1Beta1 } from "./payload-v1beta1.ts";

type Sample = PayloadV1Beta1["samples"][number];

/** The first field that cannot be used ends the reading of a sample. */
class UnusableSample extends Error {
  constructor(readonly fault: FieldFault) {
    super(fault.message);
  }
}

/** Payload `v1beta1` -> the batch that `v1` would carry. A bad sample becomes a rejected input, the others go on. */
export function migrateV1Beta1(payload: PayloadV1Beta1): RecordBatch {
  const builder = new BatchBuilder();
  payload.samples.forEach((sample, index) => {
    builder.count("rows");
    try {
      addSample(builder, sample, payload.cluster_id);
    } catch (error) {
      if (!(error instanceof UnusableSample)) throw error;
      builder.reject({ line: 0, byte: index, ...error.fault, raw: JSON.stringify(sample).slice(0, 2000) });
    }
  });
  return builder.build();
}

function addSample(builder: BatchBuilder, sample: Sample, clusterId: string): void {
  const textOf = (field: keyof Sample, required = false): string =>
    must(checkText(field, String(sample[field] ?? ""), required));
  const timeMs = must(checkTimestamp(sample.timestamp ?? ""));
  const metric = textOf("metric_name", true);
  const gpu = {
    uuid: textOf("uuid", true),
    clusterId,
    hostname: textOf("hostname", true),
    gpuId: must(checkGpuId(String(sample.gpu_id ?? ""))),
    device: textOf("device"),
    modelName: textOf("model_name"),
    driverVersion: textOf("driver_version"),
    properties: {},
  };
  const workload = { container: textOf("container"), pod: textOf("pod"), namespace: textOf("namespace") };
  const value = must(checkValue(metric, String(sample.value ?? ""), "value"));
  if (value === undefined) {
    builder.count("missing");
    return;
  }
  const row = builder.row(builder.gpuIndex(gpu), timeMs, builder.workloadIndex(workload));
  const index = metricIndexOf(metric);
  if (index === undefined) builder.setCustom(row, metric, value);
  else builder.set(row, index, value);
}

function must<T>(checked: Checked<T>): T {
  if ("fault" in checked) throw new UnusableSample(checked.fault);
  return checked.ok;
}
