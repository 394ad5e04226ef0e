import type { Readings } from "../simulated-metrics.ts";
import type { SimulatedGpu } from "../simulated-gpu.ts";
import type { Division, Part } from "./division.ts";

/** A GPU that one workload uses as a whole. */
export class WholeGpu implements Division {
  constructor(private readonly gpu: Pick<SimulatedGpu, "workload">) {}

  advance(): void {
    // the scheduler changes the GPU's workload
  }

  parts(board: Readings): readonly Part[] {
    return [{ labels: {}, workload: this.gpu.workload, readings: board }];
  }
}
