import { Cooling } from "./cooling.ts";
import { hostKinds } from "./gpu-model.ts";
import { Random } from "./random.ts";
import { SimulatedGpu } from "./simulated-gpu.ts";

/** The parameters of a simulated host. */
export interface HostPlan {
  readonly seed: number;
  /** From 0. */
  readonly index: number;
  readonly gpuCount: number;
  readonly clusterId: string;
  /** True in a fleet with chosen faults: it has no others. */
  readonly isChecked: boolean;
}

/** A host and its GPUs. They depend only on the plan: a fleet with more hosts has the same host at this index. */
export class SimulatedHost {
  readonly hostname: string;
  readonly gpus: readonly SimulatedGpu[];
  private readonly cooling: Cooling;

  constructor({ seed, index, gpuCount, clusterId, isChecked }: HostPlan) {
    const random = new Random(seed, index + 1);
    const hostname = `sim-dgx-${String(index + 1).padStart(3, "0")}`;
    const { model, driverVersion: anyVersion } = random.pick(hostKinds);
    const newest = hostKinds.find((kind) => kind.model === model)?.driverVersion ?? anyVersion;
    const driverVersion = isChecked ? newest : anyVersion;
    const cooling = new Cooling(random, !isChecked);
    this.hostname = hostname;
    this.cooling = cooling;
    this.gpus = Array.from({ length: gpuCount }, (_, gpuId) => {
      const uuid = `GPU-${[8, 4, 4, 4, 12].map((digits) => random.hex(digits)).join("-")}`;
      const properties = { instance: `${hostname}:9400`, job: "dgx_dcgm_exporter" };
      const device = `nvidia${gpuId}`;
      const gpu = { uuid, clusterId, hostname, gpuId, device, modelName: model.name, driverVersion, properties };
      return new SimulatedGpu({ gpu, model, cooling, random, isChecked });
    });
  }

  advance(seconds: number): void {
    this.cooling.advance(seconds);
    for (const gpu of this.gpus) gpu.advance(seconds);
  }
}
