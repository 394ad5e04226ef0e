import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { Gpu } from "../../../domain/gpu.ts";
import { withLabelCells } from "./gpu-cache.ts";

interface Report {
  /** The GPU as the latest row with an attribute named it. */
  gpu: Gpu;
  readonly cells: Map<string, string>;
}

/** Attributes that rows of a batch report as if they were samples (a long row of DCGM_FI_DEV_SERIAL): they become
 *  properties of the batch's GPU. */
export class ReportedAttributes {
  private readonly reports = new Map<string, Report>();

  report(gpu: Gpu, name: string, value: string): void {
    const report = this.reports.get(gpu.uuid) ?? { gpu, cells: new Map<string, string>() };
    report.gpu = gpu;
    report.cells.set(name, value);
    this.reports.set(gpu.uuid, report);
  }

  /** Puts them on the batch's GPUs, and forgets them. */
  apply(builder: BatchBuilder): void {
    for (const [uuid, { gpu, cells }] of this.reports) {
      builder.gpuIndex({ ...gpu, ...attributesOf(builder.gpuOf(uuid) ?? gpu, cells) });
    }
    this.reports.clear();
  }
}

function attributesOf(gpu: Gpu, cells: ReadonlyMap<string, string>): Gpu {
  return { ...gpu, ...withLabelCells(gpu, [...cells]) };
}
