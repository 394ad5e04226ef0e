import { customByRecord, type RecordBatch } from "../../domain/batch.ts";
import { noWorkload, type Workload } from "../../domain/gpu.ts";
import { metrics } from "../../domain/metrics.ts";
import { sortedByKey } from "./merge-state.ts";
import type { GpuState, NewestRecord } from "./hot-tier.ts";

/** A GPU's newest record in a batch, and the GPU's state in the batch. */
export interface GpuUpdate {
  readonly state: GpuState;
  readonly record: NewestRecord;
}

/** @returns one update for each GPU that has a record in the batch */
export function newestOfBatch(batch: RecordBatch): GpuUpdate[] {
  const { gpus, gpuIndexes, timesMs } = batch;
  const newestRow = new Int32Array(gpus.length).fill(-1);
  const firstMs = new Float64Array(gpus.length).fill(Infinity);
  for (let row = 0; row < batch.recordCount; row += 1) {
    const gpu = gpuIndexes[row] as number;
    const timeMs = timesMs[row] as number;
    firstMs[gpu] = Math.min(firstMs[gpu] as number, timeMs);
    const newest = newestRow[gpu] as number;
    if (newest < 0 || timeMs > (timesMs[newest] as number)) newestRow[gpu] = row;
  }
  const columns = metrics.flatMap(({ name }) => {
    const column = batch.columns.get(name);
    return column === undefined ? [] : [[name, column] as const];
  });
  const custom = customByRecord(batch);
  return gpus.flatMap((gpu, index) => {
    const row = newestRow[index] as number;
    if (row < 0) return [];
    const timeMs = timesMs[row] as number;
    const record: NewestRecord = {
      uuid: gpu.uuid,
      timeMs,
      metrics: valuesOf(columns, row),
      custom: sortedByKey(custom.get(row) ?? {}),
      workload: workloadOf(batch, row),
    };
    return [{ state: { gpu, asOfMs: timeMs, firstSeenAtMs: firstMs[index] as number }, record }];
  });
}

function valuesOf(columns: readonly (readonly [string, Float64Array])[], row: number): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, column] of columns) {
    const value = column[row] as number;
    if (value === value) values[name] = value; // NaN, which is unequal to itself, means that the record has no value
  }
  return values;
}

function workloadOf({ workloads, workloadIndexes }: RecordBatch, row: number): Workload {
  return workloads[workloadIndexes[row] as number] ?? noWorkload;
}
