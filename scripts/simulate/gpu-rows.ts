import type { Workload } from "../../src/domain/gpu.ts";
import type { ExportedGpu, ExportedSample } from "../../src/pipeline/source/simulated/devices/exported-gpu.ts";
import type { SimulatedGpu } from "../../src/pipeline/source/simulated/simulated-gpu.ts";
import type { Readings, SimulatedMetric } from "../../src/pipeline/source/simulated/simulated-metrics.ts";

/** Formats the rows of a GPU. */
export interface GpuRows {
  readonly gpu: SimulatedGpu;
  /** Reads the GPU's values; the rows are those of this moment. */
  read(): void;
  /** The rows of one metric; none if the GPU does not have it. */
  format(time: string, metric: string): readonly string[];
}

/** The rows of a GPU. */
export function gpuRows(gpu: SimulatedGpu, exported: ExportedGpu | undefined): GpuRows {
  return exported === undefined ? new RowOfEachMetric(gpu) : new RowsOfEachPart(gpu, exported);
}

/** The parts that are the same in every row are formatted once. */
class RowOfEachMetric implements GpuRows {
  private readonly text: RowText;
  private readonly labels: readonly [before: string, after: string];
  private readings: Readings | undefined;

  constructor(readonly gpu: SimulatedGpu) {
    this.text = new RowText(gpu);
    this.labels = this.text.labels({});
  }

  read(): void {
    this.readings = this.gpu.readings();
  }

  format(time: string, metric: string): readonly string[] {
    const value = this.readings?.[metric as SimulatedMetric];
    const { labels } = this;
    return value === undefined ? [] : [this.text.format({ time, metric, value, workload: this.gpu.workload, labels })];
  }
}

class RowsOfEachPart implements GpuRows {
  private readonly text: RowText;
  private samples = new Map<string, ExportedSample[]>();

  constructor(
    readonly gpu: SimulatedGpu,
    private readonly exported: ExportedGpu,
  ) {
    this.text = new RowText(gpu);
  }

  read(): void {
    this.samples = Map.groupBy(this.exported.samples(), ({ metric }) => metric);
  }

  format(time: string, metric: string): readonly string[] {
    const { text, samples } = this;
    return (samples.get(metric) ?? []).map((sample) =>
      text.format({ ...sample, time, labels: text.labels(sample.labels) }),
    );
  }
}

interface Row {
  readonly time: string;
  readonly metric: string;
  readonly value: number;
  readonly workload: Workload;
  /** The texts before and after the metric's name. */
  readonly labels: readonly [before: string, after: string];
}

class RowText {
  private readonly identity: string;
  private readonly ownLabels: Readonly<Record<string, string>>;

  constructor({ gpu }: SimulatedGpu) {
    const { uuid, hostname, gpuId, device, modelName, driverVersion, properties } = gpu;
    this.identity = `"${gpuId}","${device}","${uuid}","${modelName}","${hostname}"`;
    this.ownLabels = {
      ...{ DCGM_FI_DRIVER_VERSION: driverVersion, Hostname: hostname, UUID: uuid, device, gpu: String(gpuId) },
      ...{ instance: properties["instance"] ?? "", job: properties["job"] ?? "", modelName },
    };
  }

  /** All labels, sorted by name.
   *  @param more in addition to those of every row of the GPU */
  labels(more: Readonly<Record<string, string>>): readonly [before: string, after: string] {
    const labels = Object.entries({ ...this.ownLabels, ...more }).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = (isBefore: boolean): string =>
      labels
        .filter(([name]) => name < nameLabel === isBefore)
        .map(([name, value]) => `${name}=""${value}""`)
        .join(",");
    return [`${text(true)},${nameLabel}=""`, `"",${text(false)}`];
  }

  format({ time, metric, value, workload: { container, pod, namespace }, labels: [before, after] }: Row): string {
    const labels = `"${before}${metric}${after}"`;
    return `"${time}","${metric}",${this.identity},"${container}","${pod}","${namespace}","${value}",${labels}\n`;
  }
}

const nameLabel = "__name__";
