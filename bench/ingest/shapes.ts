import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { noWorkload } from "../../src/domain/gpu.ts";
import { decodePayload, encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";

/** The shape of an input's records. */
export interface Shape {
  readonly name: string;
  /** The indexes of the metrics that a record has, given the record's number. */
  readonly metricsOf: (record: number) => readonly number[];
  /** A batch with fewer GPUs than records contains several instants of each GPU. */
  readonly gpusPerBatch: number;
  /** 5,000 by default. */
  readonly recordsPerBatch?: number;
}

const firstMetrics = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const [two, three, ten, twentySix] = [2, 3, 10, 26].map(firstMetrics) as [number[], number[], number[], number[]];

/** The shapes to measure. */
export const shapes: readonly Shape[] = [
  {
    name: "2.5 samples per record (sample CSV)",
    metricsOf: (record) => (record % 2 === 0 ? two : three),
    gpusPerBatch: 1250,
  },
  { name: "10 samples per record (scrape)", metricsOf: () => ten, gpusPerBatch: 1250 },
  { name: "26 samples per record (scrape)", metricsOf: () => twentySix, gpusPerBatch: 1250 },
  { name: "10 samples per record, one instant per batch", metricsOf: () => ten, gpusPerBatch: 5000 },
];

const startMs = Date.UTC(2025, 6, 18);

/** A value as an exporter writes it: up to three decimals for every third metric, an integer for the others. */
function valueOf(metric: number, record: number): number {
  const wave = (record * 7919 + metric * 104_729) % 100_000;
  return metric % 3 === 0 ? wave / 1000 : wave;
}

/** Batches in time order. */
export function batchesOf({ metricsOf, gpusPerBatch, recordsPerBatch = 5000 }: Shape, count: number): RecordBatch[] {
  const instants = recordsPerBatch / gpusPerBatch;
  return Array.from({ length: count }, (_, batch) => {
    const builder = new BatchBuilder();
    for (let record = 0; record < recordsPerBatch; record += 1) {
      const gpu = builder.gpuIndex(gpuOf(record % gpusPerBatch));
      const timeMs = startMs + (batch * instants + Math.floor(record / gpusPerBatch)) * 15_000;
      const row = builder.record(gpu, timeMs, builder.workloadIndex(noWorkload));
      for (const metric of metricsOf(record))
        builder.set(row, metric, valueOf(metric, batch * recordsPerBatch + record));
    }
    // decoded from a message, as a collector has it
    return decodePayload(encodeBatch(builder.build()));
  });
}

function gpuOf(index: number) {
  return {
    uuid: `GPU-${String(index).padStart(8, "0")}`,
    clusterId: "bench",
    hostname: `host-${String(Math.floor(index / 8)).padStart(5, "0")}`,
    gpuId: index % 8,
    device: `nvidia${index % 8}`,
    modelName: "NVIDIA H100 80GB HBM3",
    driverVersion: "535.129.03",
    properties: {},
  };
}

/** Rows in the text format of PostgreSQL's COPY. */
export interface CopyText {
  readonly columns: readonly string[];
  readonly text: string;
}

/** A batch's rows as input for COPY. */
export function copyTextOf(batch: RecordBatch): CopyText {
  const names = [...batch.columns.keys()];
  const lines: string[] = [];
  for (let record = 0; record < batch.recordCount; record += 1) {
    const values = names.map((name) => {
      const value = batch.columns.get(name)?.[record] as number;
      return Number.isNaN(value) ? "\\N" : String(value);
    });
    const key = gpuKeyOf(batch.gpus[batch.gpuIndexes[record] as number]?.uuid ?? "");
    lines.push([key, new Date(batch.timesMs[record] as number).toISOString(), ...values].join("\t"));
  }
  return { columns: ["gpu_key", "time", ...names], text: `${lines.join("\n")}\n` };
}
