import type { SeenGpu } from "../../../db/sql/insert-gpus.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import { addsNothing, type Gpu, isSameWorkload, noWorkload, type Workload } from "../../../domain/gpu.ts";

/** A GPU that has records in a batch, with its attributes at its newest record in the batch. */
export interface ObservedGpu extends SeenGpu {
  /** Its indexes in the batch's `gpus`, one for each set of attributes. */
  readonly indexes: readonly number[];
  /** Its records' instants, sorted, milliseconds since the epoch. */
  readonly timesMs: readonly number[];
  /** Its attributes at these instants. */
  readonly attributes: readonly Gpu[];
  /** Its workload at these instants; "several" if its records do not all have the same one. */
  readonly workload: Workload | "several";
}

/** The GPUs that have records in a batch. */
export function observedGpus(batch: RecordBatch): ObservedGpu[] {
  const { gpus, gpuIndexes, timesMs } = batch;
  const records = Map.groupBy(gpuIndexes.keys(), (record) => gpus[gpuIndexes[record] as number]?.uuid);
  return [...records.values()].flatMap((ofGpu) => {
    const sorted = ofGpu.toSorted((a, b) => (timesMs[a] as number) - (timesMs[b] as number));
    const times = sorted.map((record) => timesMs[record] as number);
    const indexes = sorted.map((record) => gpuIndexes[record] as number);
    const attributes = indexes.map((index) => gpus[index] as Gpu);
    const [gpu, firstMs, lastMs] = [attributes.at(-1), times[0], times.at(-1)];
    if (gpu === undefined || firstMs === undefined || lastMs === undefined) return [];
    const workload = workloadOf(batch, ofGpu);
    return [{ gpu, indexes: [...new Set(indexes)], firstMs, lastMs, timesMs: times, attributes, workload }];
  });
}

/** True if the GPU's records say nothing about it that is not known. */
export function addNothing({ attributes }: ObservedGpu, existing: Parameters<typeof addsNothing>[0]): boolean {
  return attributes.every((gpu, at) => gpu === attributes[at - 1] || addsNothing(existing, gpu));
}

function workloadOf({ occupants, occupantsIndexes }: RecordBatch, records: readonly number[]): Workload | "several" {
  const workloads = records.map((record) => occupants[occupantsIndexes[record] as number]?.[0] ?? noWorkload);
  const [first = noWorkload] = workloads;
  return workloads.every((workload) => workload === first || isSameWorkload(workload, first)) ? first : "several";
}
