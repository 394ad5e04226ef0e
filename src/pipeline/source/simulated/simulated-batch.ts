import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import type { Gpu } from "../../../domain/gpu.ts";
import { metricIndexOf, metrics } from "../../../domain/metrics.ts";
import { migUuid } from "../../../domain/mig-instance.ts";
import { seriesNameOf } from "../../../domain/series-of-metric.ts";
import { seriesLabelOf, seriesName } from "../../../domain/series.ts";
import type { ExportedGpu, ExportedSample } from "./devices/exported-gpu.ts";
import type { SimulatedFleet } from "./simulated-fleet.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";
import { healthMetrics, type HealthReadings, simulatedMetrics } from "./simulated-metrics.ts";

const metricIndexes = simulatedMetrics.map((metric) => [metric, metricIndexOf(metric) as number] as const);

const healthIndexes = healthMetrics.map((metric) => [metric, metricIndexOf(metric) ?? metric] as const);

/** A batch with a record for each GPU that is not silent, and for each of its MIG instances: what the exporter's rows of these GPUs
 *  would give. */
export function batchOf(
  gpus: readonly SimulatedGpu[],
  exported: SimulatedFleet["exported"],
  timeMs: number,
): RecordBatch {
  const builder = new BatchBuilder();
  for (const gpu of gpus) {
    if (gpu.isSilent) continue;
    const rows = exported.get(gpu);
    if (rows === undefined) addReadings(builder, gpu, timeMs);
    else addRows(builder, { gpu, rows, timeMs });
  }
  return builder.build();
}

function addReadings(builder: BatchBuilder, gpu: SimulatedGpu, timeMs: number): void {
  const record = builder.record(builder.gpuIndex(gpu.gpu), timeMs, builder.workloadIndex(gpu.workload));
  const readings = gpu.readings();
  for (const [metric, index] of metricIndexes) builder.set(record, index, readings[metric]);
  builder.count("rows", metricIndexes.length);
  if (gpu.countedXids !== undefined) addHealth(builder, { gpu, record, readings });
}

/** Adds what the GPUs of a fleet with chosen faults report besides. */
function addHealth(builder: BatchBuilder, { gpu, record, readings }: HealthOfGpu): void {
  for (const [metric, index] of healthIndexes) {
    const value = readings[metric];
    if (value === undefined) continue;
    if (typeof index === "number") builder.set(record, index, value);
    else builder.setCustom(record, index, value);
  }
  for (const [code, count] of gpu.countedXids ?? []) {
    builder.setCustom(record, seriesName("xid_errors_total", { xid: String(code) }), count);
  }
  builder.count("rows", healthIndexes.length + (gpu.countedXids?.size ?? 0));
}

interface HealthOfGpu {
  readonly gpu: SimulatedGpu;
  readonly record: number;
  readonly readings: Partial<HealthReadings>;
}

interface RowsOfGpu {
  readonly gpu: SimulatedGpu;
  readonly rows: ExportedGpu;
  readonly timeMs: number;
}

function addRows(builder: BatchBuilder, { gpu, rows, timeMs }: RowsOfGpu): void {
  const samples = rows.samples();
  for (const { metric: name, value, labels, workload } of samples) {
    const metric = metricIndexOf(name) ?? name;
    const isOfBoard = typeof metric === "number" && metrics[metric]?.scope === "board";
    const device = deviceOf(gpu.gpu, labels);
    const reporter = isOfBoard ? gpu.gpu : device;
    // a board's record does not have the workloads of its instances
    const workloadIndex = reporter.uuid === device.uuid ? builder.workloadIndex(workload) : 0;
    const record = builder.record(builder.gpuIndex(reporter), timeMs, workloadIndex);
    const series = seriesNameOf(metric, seriesIn(labels)) ?? metric;
    if (typeof series === "number") builder.set(record, series, value);
    else builder.setCustom(record, series, value);
  }
  builder.count("rows", samples.length);
  if (gpu.countedXids === undefined) return;
  const record = builder.record(builder.gpuIndex(gpu.gpu), timeMs, 0);
  addHealth(builder, { gpu, record, readings: gpu.readings() });
}

function deviceOf(gpu: Gpu, { GPU_I_ID: instanceId, GPU_I_PROFILE: profile = "" }: ExportedSample["labels"]): Gpu {
  return instanceId === undefined ? gpu : { ...gpu, uuid: migUuid({ parentUuid: gpu.uuid, instanceId, profile }) };
}

/** The labels that tell apart series of one metric. An empty one means nothing. */
function seriesIn(labels: ExportedSample["labels"]): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).filter(([name, text]) => text !== "" && seriesLabelOf(name)));
}
