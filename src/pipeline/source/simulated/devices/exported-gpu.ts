import { noWorkload, type Workload } from "../../../../domain/gpu.ts";
import { Random } from "../random.ts";
import type { SimulatedGpu } from "../simulated-gpu.ts";
import { simulatedMetrics } from "../simulated-metrics.ts";
import type { DeviceShares } from "./device-shares.ts";
import type { Division, Part } from "./division.ts";
import { LabelledSeries } from "./labelled-series.ts";
import { MigGpu } from "./mig-gpu.ts";
import { SharedGpu } from "./shared-gpu.ts";
import { WholeGpu } from "./whole-gpu.ts";

/** A row of the exporter, without what is the same in all rows of the GPU. */
export interface ExportedSample {
  readonly metric: string;
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly workload: Workload;
}

/** Streams of random numbers from this one on are those of exported GPUs; lower ones are those of hosts. */
const firstStream = 1_000_000;

/** What the exporter writes about a GPU that has more than one row for a metric. */
export class ExportedGpu {
  private constructor(
    private readonly gpu: SimulatedGpu,
    private readonly division: Division,
    private readonly series: LabelledSeries | undefined,
  ) {}

  /** Decides how a GPU is divided; the result depends on the shares, the seed and the index alone.
   *  @param index of the GPU in the fleet
   *  @returns undefined for a GPU with one row for each metric */
  static of(
    gpu: SimulatedGpu,
    index: number,
    { shares, seed }: { readonly shares: DeviceShares; readonly seed: number },
  ): ExportedGpu | undefined {
    const random = new Random(seed, firstStream + index);
    const division = divisionOf(random, shares);
    const hasSeries = random.chance(shares.series);
    if (division === undefined && !hasSeries) return undefined;
    return new ExportedGpu(gpu, division ?? new WholeGpu(gpu), hasSeries ? new LabelledSeries(gpu, random) : undefined);
  }

  get hasSeries(): boolean {
    return this.series !== undefined;
  }

  advance(seconds: number): void {
    this.division.advance(seconds);
    this.series?.advance(seconds);
  }

  /** The GPU's rows at this instant. */
  samples(): ExportedSample[] {
    const parts = this.division.parts(this.gpu.readings());
    const ofLinks = this.series?.ofLinks() ?? [];
    return [...parts.flatMap((part) => this.ofPart(part)), ...ofLinks.map((row) => ({ ...row, workload: noWorkload }))];
  }

  private ofPart({ labels, workload, readings }: Part): ExportedSample[] {
    const ofBoard = this.series?.ofBoard() ?? [];
    return [
      ...simulatedMetrics.map((metric) => {
        const more = metric === "DCGM_FI_DEV_XID_ERRORS" && this.hasSeries ? errorLabels(readings[metric]) : {};
        return { metric, value: readings[metric], labels: { ...labels, ...more }, workload };
      }),
      ...ofBoard.map((row) => ({ ...row, labels: { ...labels, ...row.labels }, workload })),
    ];
  }
}

function divisionOf(random: Random, { mig, timeSlicing, vgpu }: DeviceShares): Division | undefined {
  const choice = random.next();
  if (choice < mig) return new MigGpu(random);
  if (choice < mig + timeSlicing) return new SharedGpu("time_slicing", random);
  return choice < mig + timeSlicing + vgpu ? new SharedGpu("vgpu", random) : undefined;
}

/** The labels by which the exporter explains an XID code. They vary with the value. */
function errorLabels(xid: number): Readonly<Record<string, string>> {
  return { err_code: String(xid), err_msg: xid === 0 ? "No Error" : `XID ${xid}` };
}
