import { noWorkload, type Workload } from "../../../../domain/gpu.ts";
import type { Random } from "../random.ts";
import type { Readings } from "../simulated-metrics.ts";
import type { Division, Part } from "./division.ts";
import { randomPod } from "./pods.ts";

const maxUsers = 4;
/** The mean time until a pod starts or ends on a GPU. */
const meanSecondsToChange = 60;

/** A user of a shared GPU. */
interface User {
  readonly workload: Workload;
  /** The name of its virtual GPU. */
  readonly vgpu: string;
}

/** A GPU that pods share, in slices of time or as virtual GPUs: the exporter repeats the whole GPU's values for each pod. */
export class SharedGpu implements Division {
  private users: readonly User[];

  /** @param kind with vgpu, a row has the name of its virtual GPU as a label */
  constructor(
    private readonly kind: "time_slicing" | "vgpu",
    private readonly random: Random,
  ) {
    this.users = Array.from({ length: 1 + random.index(maxUsers) }, () => this.newUser());
  }

  advance(seconds: number): void {
    const { random, users } = this;
    if (!random.chance(Math.min(1, seconds / meanSecondsToChange))) return;
    const isStart = users.length === 0 || (users.length < maxUsers && random.chance(0.5));
    const ends = isStart ? undefined : random.pick(users);
    this.users = isStart ? [...users, this.newUser()] : users.filter((user) => user !== ends);
  }

  parts(board: Readings): readonly Part[] {
    if (this.users.length === 0) return [{ labels: {}, workload: noWorkload, readings: board }];
    return this.users.map(({ workload, vgpu }) => ({
      labels: this.kind === "vgpu" ? { vgpu } : {},
      workload,
      readings: board,
    }));
  }

  private newUser(): User {
    return { workload: randomPod(this.random), vgpu: this.random.hex(8) };
  }
}
