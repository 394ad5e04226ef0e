import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { metrics } from "../../../domain/metrics.ts";
import { seriesNameOf } from "../../../domain/series-of-metric.ts";
import type { RowSubject } from "./gpu-cache.ts";
import type { ParsedLabels } from "./labels.ts";
import { longSeriesName } from "./series-labels.ts";

/** The name of a series in records. */
export function recordedName(metric: number | string, labels: ParsedLabels["series"]): string {
  return seriesNameOf(metric, labels) ?? (typeof metric === "number" ? (metrics[metric]?.name ?? "") : metric);
}

/** The device in whose records a metric is: of a metric of the whole board, the GPU. */
export function recordedDevice(metric: number | string, { board, device }: Pick<RowSubject, "board" | "device">): Gpu {
  return typeof metric === "number" && metrics[metric]?.scope === "board" ? board : device;
}

/** A value of a device, in the unit of the catalogue. */
export interface Sample {
  /** The metric's index in the catalogue, or its name if it is not in the catalogue. */
  readonly metric: number | string;
  readonly labels: ParsedLabels["series"];
  readonly value: number;
}

/** Adds samples to the records of a batch, by the rules that all inputs have: a value of the whole board belongs to the GPU, also if
 *  the input repeats it for an instance, and only the record of the sample's own device gets its workload. */
export class SampleRecorder {
  /** The indexes of the last record's GPU and workload: the next one often has the same. */
  private gpuHint = -1;
  private workloadHint = 0;

  constructor(private readonly builder: BatchBuilder) {}

  /** @param field the name of the value's column or metric in the input
   *  @returns the error of a series whose name is too long; nothing is then added */
  add(
    field: string,
    { metric, labels, value }: Sample,
    at: { readonly subject: Omit<RowSubject, "series">; readonly timeMs: number },
  ): FieldError | undefined {
    const series = seriesNameOf(metric, labels) ?? metric;
    const error = typeof series === "string" ? longSeriesName(field, series) : undefined;
    if (error !== undefined) return error;
    const record = this.recordOf(recordedDevice(metric, at.subject), at);
    if (typeof series === "number") this.builder.set(record, series, value);
    else this.builder.setCustom(record, series, value);
    return undefined;
  }

  /** Notes a row that describes a GPU and has no value. Like a row whose value is missing, it names no occupant. */
  describe(gpu: Gpu, timeMs: number): void {
    const { builder } = this;
    builder.describe(builder.record(builder.gpuIndex(gpu, this.gpuHint), timeMs, 0));
  }

  /** Adds workloads to the record of a device that has values. */
  share(gpu: Gpu, timeMs: number, workloads: readonly Workload[]): void {
    const { builder } = this;
    for (const workload of workloads)
      builder.record(builder.gpuIndex(gpu, this.gpuHint), timeMs, builder.workloadIndex(workload));
  }

  private recordOf(
    gpu: Gpu,
    { subject, timeMs }: { readonly subject: Omit<RowSubject, "series">; readonly timeMs: number },
  ): number {
    const { builder } = this;
    let workloadIndex = 0;
    if (gpu.uuid === subject.device.uuid) {
      workloadIndex = builder.workloadIndex(subject.workload, this.workloadHint);
      this.workloadHint = workloadIndex;
    }
    this.gpuHint = builder.gpuIndex(gpu, this.gpuHint);
    return builder.record(this.gpuHint, timeMs, workloadIndex);
  }
}
