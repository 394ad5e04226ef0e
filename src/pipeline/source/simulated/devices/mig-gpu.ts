import { noWorkload, type Workload } from "../../../../domain/gpu.ts";
import type { Random } from "../random.ts";
import type { Readings } from "../simulated-metrics.ts";
import type { Division, Part } from "./division.ts";
import { randomPodOrNone } from "./pods.ts";

/** The possible layouts of a GPU with 80 GB, each with the ids and profiles of its instances. A profile names the compute slices
 *  and the memory of an instance. Some instances of different layouts have the same id.
 *  Source: https://docs.nvidia.com/datacenter/tesla/mig-user-guide/ */
const layouts: readonly (readonly (readonly [id: string, profile: string])[])[] = [
  [["0", "7g.80gb"]],
  [
    ["1", "4g.40gb"],
    ["5", "2g.20gb"],
    ["13", "1g.10gb"],
  ],
  [
    ["1", "3g.40gb"],
    ["2", "3g.40gb"],
  ],
  [
    ["3", "2g.20gb"],
    ["4", "2g.20gb"],
    ["5", "2g.20gb"],
    ["13", "1g.10gb"],
  ],
  ["7", "8", "9", "11", "12", "13"].map((id) => [id, "1g.10gb"] as const),
  [
    ["5", "1g.20gb"],
    ["6", "1g.20gb"],
    ["13", "1g.20gb"],
  ],
];
const gpuGibibytes = 80;

/** The mean times until each change: far shorter than in a real fleet, so that a few minutes show them all. */
const meanSecondsToRecut = 240;
const meanSecondsToSwitch = 90;
const meanSecondsToNewPod = 120;

/** A place for an instance in a GPU's layout. */
interface Slice {
  readonly id: string;
  readonly profile: string;
  /** False if the instance was destroyed, or not created yet. */
  exists: boolean;
  workload: Workload;
  utilization: number;
  memoryShare: number;
}

/** A GPU that is divided into MIG instances, which are created, destroyed and cut to other profiles as time passes. The exporter
 *  writes the rows of the instances; if there are none, those of the GPU. */
export class MigGpu implements Division {
  private slices: Slice[];

  constructor(private readonly random: Random) {
    this.slices = this.newSlices();
  }

  advance(seconds: number): void {
    const { random } = this;
    const happens = (meanSeconds: number): boolean => random.chance(Math.min(1, seconds / meanSeconds));
    if (happens(meanSecondsToRecut)) this.slices = this.newSlices();
    for (const slice of this.slices) {
      if (happens(meanSecondsToSwitch)) slice.exists = !slice.exists;
      if (happens(meanSecondsToNewPod)) slice.workload = randomPodOrNone(random);
      const isBusy = slice.workload !== noWorkload;
      slice.utilization = isBusy ? random.between(0.3, 1) : 0;
      slice.memoryShare = isBusy ? Math.min(1, slice.memoryShare + random.between(0, 0.1)) : 0;
    }
  }

  parts(board: Readings): readonly Part[] {
    const existing = this.slices.filter(({ exists }) => exists);
    if (existing.length === 0) return [{ labels: {}, workload: noWorkload, readings: board }];
    return existing.map((slice) => ({
      labels: { GPU_I_ID: slice.id, GPU_I_PROFILE: slice.profile },
      workload: slice.workload,
      readings: { ...board, ...ownReadings(slice, board) },
    }));
  }

  private newSlices(): Slice[] {
    const { random } = this;
    return random.pick(layouts).map(([id, profile]) => ({
      ...{ id, profile, exists: random.chance(0.8), workload: randomPodOrNone(random) },
      ...{ utilization: 0, memoryShare: 0 },
    }));
  }
}

function ownReadings({ profile, utilization, memoryShare }: Slice, board: Readings): Partial<Readings> {
  const [, gibibytes = "0"] = /\.(\d+)gb$/.exec(profile) ?? [];
  const boardMebibytes = board.DCGM_FI_DEV_FB_USED + board.DCGM_FI_DEV_FB_FREE;
  const mebibytes = Math.floor((boardMebibytes * Number(gibibytes)) / gpuGibibytes);
  const usedMebibytes = Math.round(memoryShare * mebibytes);
  const ratio = (share: number): number => Math.round(utilization * share * 1e6) / 1e6;
  return {
    DCGM_FI_DEV_GPU_UTIL: Math.round(utilization * 100),
    DCGM_FI_DEV_MEM_COPY_UTIL: Math.round(utilization * 60),
    DCGM_FI_DEV_FB_USED: usedMebibytes,
    DCGM_FI_DEV_FB_FREE: mebibytes - usedMebibytes,
    DCGM_FI_DEV_DEC_UTIL: 0,
    DCGM_FI_DEV_ENC_UTIL: 0,
    DCGM_FI_PROF_PIPE_TENSOR_ACTIVE: ratio(0.5),
    DCGM_FI_PROF_DRAM_ACTIVE: ratio(0.6),
  };
}
