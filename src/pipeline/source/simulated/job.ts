import type { Workload } from "../../../domain/gpu.ts";
import { type Demand, noDemand, type Occupant } from "./demand.ts";
import type { Random } from "./random.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";

/** training: full load, with dips when it saves its state; inference: bursts; transcoding: bursts, also on the video engines;
 *  notebook: holds its GPU and hardly uses it. */
export type JobKind = "training" | "inference" | "transcoding" | "notebook";

/** The properties of a job that are fixed before it starts. */
export interface JobPlan {
  readonly kind: JobKind;
  readonly lifetimeSeconds: number;
  /** True if one of its GPUs may be slower than the others. */
  readonly mayStraggle: boolean;
  /** One pod for each host that the job uses; the job's GPUs on a host share a pod. */
  readonly pods: readonly { readonly workload: Workload; readonly gpus: readonly SimulatedGpu[] }[];
}

const loadingSeconds = 8;

/** A job from its start to its end: it holds its GPUs and puts the load of its kind on them.
 *
 *  A job starts with LOADING (memory fills). It then alternates between WORKING and RESTING (saving its state, a lull, a
 *  person thinking). A notebook rests first. A job can end in any state: when its lifetime has passed, or when it loses a GPU. */
export class Job implements Occupant {
  private ageSeconds = 0;
  private resting: boolean;
  private phaseLeftSeconds = 0;
  private readonly intensity: number;
  private readonly memoryShare: number;
  /** True if one of the GPUs is a straggler: the other GPUs wait for it in every step. */
  private readonly hasStraggler: boolean;

  constructor(
    readonly plan: JobPlan,
    private readonly random: Random,
  ) {
    this.resting = plan.kind !== "notebook"; // the first `advance` inverts it
    this.intensity = random.between(0.8, 1);
    this.memoryShare = plan.kind === "notebook" ? random.between(0.02, 0.25) : random.between(0.5, 0.95);
    const gpus = plan.pods.flatMap((pod) => pod.gpus);
    this.hasStraggler =
      plan.mayStraggle && plan.kind === "training" && gpus.length > 1 && random.chance(stragglerShare);
    const straggler = this.hasStraggler ? random.pick(gpus) : undefined;
    for (const { workload, gpus: gpusOfPod } of plan.pods) {
      for (const gpu of gpusOfPod) gpu.assign(this, workload, gpu === straggler ? stragglerClock : 1);
    }
  }

  /** Lets time pass. @returns false when the job has ended and released its GPUs */
  advance(seconds: number): boolean {
    this.ageSeconds += seconds;
    this.phaseLeftSeconds -= seconds;
    if (this.phaseLeftSeconds <= 0) this.changePhase();
    if (this.ageSeconds < this.plan.lifetimeSeconds) return true;
    this.end();
    return false;
  }

  /** Releases the GPUs. */
  end(): void {
    for (const { gpus } of this.plan.pods) for (const gpu of gpus) gpu.release();
  }

  demandOf(clock: number): Demand {
    const loaded = Math.min(1, this.ageSeconds / loadingSeconds);
    const memoryShare = this.memoryShare * loaded;
    if (loaded < 1) return { ...noDemand, utilization: 0.05, memoryBandwidth: 0.1, memoryShare };
    const { working, resting, tensor, memory } = loads[this.plan.kind];
    const utilization = (this.resting ? resting : working * this.intensity) * this.random.between(0.96, 1.04);
    const waiting = this.hasStraggler && clock === 1 ? stragglerClock : 1;
    const video = this.plan.kind === "transcoding" ? utilization : 0;
    return {
      utilization: Math.min(1, utilization),
      memoryBandwidth: Math.min(1, utilization * memory * waiting),
      tensor: Math.min(1, utilization * tensor * waiting),
      memoryShare,
      decoder: Math.min(1, video * 0.8),
      encoder: Math.min(1, video * 0.5),
    };
  }

  private changePhase(): void {
    this.resting = !this.resting;
    const [min, max] = this.resting ? loads[this.plan.kind].restSeconds : loads[this.plan.kind].workSeconds;
    this.phaseLeftSeconds = this.random.between(min, max);
  }
}

const stragglerShare = 0.15;
const stragglerClock = 0.7;

interface Load {
  readonly working: number;
  readonly resting: number;
  /** Tensor activity and memory bandwidth at full utilisation. */
  readonly tensor: number;
  readonly memory: number;
  readonly workSeconds: readonly [min: number, max: number];
  readonly restSeconds: readonly [min: number, max: number];
}

const loads: Readonly<Record<JobKind, Load>> = {
  training: { working: 1, resting: 0.06, tensor: 0.55, memory: 0.5, workSeconds: [40, 120], restSeconds: [4, 12] },
  inference: { working: 0.85, resting: 0.12, tensor: 0.25, memory: 0.7, workSeconds: [3, 15], restSeconds: [3, 20] },
  transcoding: { working: 0.6, resting: 0.1, tensor: 0.1, memory: 0.35, workSeconds: [10, 60], restSeconds: [3, 20] },
  notebook: { working: 0.5, resting: 0, tensor: 0.1, memory: 0.3, workSeconds: [2, 10], restSeconds: [60, 240] },
};
