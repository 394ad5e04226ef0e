import type { Gpu, Workload } from "../../src/domain/gpu.ts";
import type { ExportedGpu } from "../../src/pipeline/source/simulated/devices/exported-gpu.ts";
import type { SimulatedGpu } from "../../src/pipeline/source/simulated/simulated-gpu.ts";
import type { Readings } from "../../src/pipeline/source/simulated/simulated-metrics.ts";
import { derivedMetrics } from "./derived-metrics.ts";

/** A value of a metric, with what tells it apart from others of the GPU. */
export interface ReadRow {
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly workload: Workload;
}

const noLabels: ReadRow["labels"] = {};
const derivedByMetric = new Map(derivedMetrics.map((derived) => [derived.metric, derived]));

/** What an exporter knows of a GPU at an instant. */
export class ReadGpu {
  readonly gpu: Gpu;
  /** The values of the whole GPU, even if it is divided. */
  private readonly board: Readings;
  private readonly rowsOfParts: ReadonlyMap<string, readonly ReadRow[]> | undefined;
  private readonly workload: Workload;

  /** @param rows of a GPU that has more than one row for a metric */
  constructor(gpu: SimulatedGpu, rows: ExportedGpu | undefined) {
    this.gpu = gpu.gpu;
    this.workload = gpu.workload;
    this.board = gpu.readings();
    this.rowsOfParts = rows === undefined ? undefined : Map.groupBy(rows.samples(), ({ metric }) => metric);
  }

  /** The rows of a metric: of each MIG instance, user and series; empty if the GPU does not have the metric. */
  rows(metric: string): readonly ReadRow[] {
    const derived = derivedByMetric.get(metric);
    if (derived === undefined) return this.measured(metric);
    return this.measured(derived.from).map((row) => ({ ...row, value: derived.value(row.value) }));
  }

  /** The value of the whole GPU; undefined for a metric that only labelled series have. */
  whole(metric: string): number | undefined {
    const derived = derivedByMetric.get(metric);
    const value = this.board[(derived?.from ?? metric) as keyof Readings] as number | undefined;
    return value === undefined || derived === undefined ? value : derived.value(value);
  }

  /** The workload of the whole GPU. */
  get wholeWorkload(): Workload {
    return this.workload;
  }

  /** The MIG instances, one row for each; empty if the GPU is not divided. */
  get instances(): readonly ReadRow[] {
    return this.rows("DCGM_FI_DEV_FB_USED").filter(({ labels }) => labels["GPU_I_ID"] !== undefined);
  }

  private measured(metric: string): readonly ReadRow[] {
    if (this.rowsOfParts !== undefined) return this.rowsOfParts.get(metric) ?? [];
    const value = this.board[metric as keyof Readings] as number | undefined;
    return value === undefined ? [] : [{ value, labels: noLabels, workload: this.workload }];
  }
}

/** The bus id of a GPU: the simulated fleet has none, every exporter has one. */
export function busIdOf({ gpuId }: Gpu): string {
  const bus = (0x53 + 0x09 * gpuId).toString(16).toUpperCase();
  return `00000000:${bus}:00.0`;
}
