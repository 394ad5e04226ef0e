import type { SeenGpu } from "../../../db/sql/insert-gpus.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import { isSameWorkload, type Workload } from "../../../domain/gpu.ts";

/** A GPU that has records in a batch, with its attributes in the batch. */
export interface ObservedGpu extends SeenGpu {
  /** Its index in the batch's `gpus`. */
  readonly index: number;
  /** Its records' instants, sorted, milliseconds since the epoch. */
  readonly timesMs: readonly number[];
  /** Its workload at these instants; "several" if its records do not all have the same one. */
  readonly workload: Workload | "several";
}

/** The GPUs that have records in a batch. */
export function observedGpus(batch: RecordBatch): ObservedGpu[] {
  const times = batch.gpus.map((): number[] => []);
  const workloads = batch.gpus.map((): Workload | "several" | undefined => undefined);
  batch.gpuIndexes.forEach((gpu, record) => {
    times[gpu]?.push(batch.timesMs[record] as number);
    const workload = batch.workloads[batch.workloadIndexes[record] as number] as Workload;
    const previous = workloads[gpu];
    const isOther =
      previous !== undefined &&
      previous !== workload &&
      (previous === "several" || !isSameWorkload(previous, workload));
    workloads[gpu] = isOther ? "several" : workload;
  });
  return batch.gpus.flatMap((gpu, index) => {
    const [timesMs, workload] = [(times[index] as number[]).sort((a, b) => a - b), workloads[index]];
    const [firstMs, lastMs] = [timesMs[0], timesMs.at(-1)];
    if (firstMs === undefined || lastMs === undefined || workload === undefined) return [];
    return [{ gpu, index, firstMs, lastMs, timesMs, workload }];
  });
}
