import type { Workload } from "../../../domain/gpu.ts";
import type { Occupant } from "./demand.ts";
import { Job, type JobKind } from "./job.ts";
import type { Random } from "./random.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";
import type { SimulatedHost } from "./simulated-host.ts";

/** The share of GPUs that the scheduler tries to keep occupied. */
const targetOccupancy = 0.8;
/** The time constant with which the occupancy approaches `targetOccupancy`. */
const refillSeconds = 20;
/** Maximum number of hosts that are tried for a job before the job is dropped. The limit keeps a tick cheap in a full
 *  fleet. */
const maxHostsTried = 64;

const jobKinds: readonly JobKind[] = [
  "training",
  "training",
  "training",
  "inference",
  "inference",
  "transcoding",
  "notebook",
];

interface JobProfile {
  readonly namespace: string;
  readonly container: string;
  readonly names: readonly string[];
  /** Possible numbers of GPUs per host; a number that is listed more often is more likely. A job on several hosts uses all
   *  GPUs of each host. */
  readonly gpusPerHost: readonly number[];
  /** Possible numbers of hosts, listed in the same way. */
  readonly hosts: readonly number[];
  readonly lifetimeSeconds: readonly [min: number, max: number];
}

const profiles: Readonly<Record<JobKind, JobProfile>> = {
  training: {
    namespace: "training",
    container: "pytorch",
    names: ["llm-pretrain", "llm-finetune", "vision-resnet", "speech-asr", "recsys-dlrm"],
    gpusPerHost: [1, 2, 4, 4, 8, 8, 8],
    hosts: [1, 1, 1, 2, 4],
    lifetimeSeconds: [180, 3600],
  },
  inference: {
    namespace: "serving",
    container: "vllm",
    names: ["chat-70b", "chat-8b", "embedder", "reranker"],
    gpusPerHost: [1, 1, 2, 4],
    hosts: [1],
    lifetimeSeconds: [300, 3600],
  },
  transcoding: {
    namespace: "video",
    container: "transcoder",
    names: ["transcode", "thumbnails"],
    gpusPerHost: [1],
    hosts: [1],
    lifetimeSeconds: [30, 300],
  },
  notebook: {
    namespace: "notebooks",
    container: "notebook",
    names: ["jupyter-ada", "jupyter-grace", "jupyter-alan", "jupyter-edsger"],
    gpusPerHost: [1],
    hosts: [1],
    lifetimeSeconds: [600, 7200],
  },
};

/** Starts jobs on free GPUs, and ends each job when its time is up. */
export class Scheduler {
  private jobs: Job[] = [];
  private readonly gpuCount: number;

  /** @param mayStraggle true if GPUs of some jobs are slower than the others */
  constructor(
    private readonly hosts: readonly SimulatedHost[],
    private readonly random: Random,
    private readonly mayStraggle: boolean,
  ) {
    this.gpuCount = hosts.reduce((count, host) => count + host.gpus.length, 0);
  }

  advance(seconds: number): void {
    this.jobs = this.jobs.filter((job) => job.advance(seconds));
    const missing = targetOccupancy * this.gpuCount - this.occupied();
    let starts = Math.max(0, missing) * Math.min(1, seconds / refillSeconds);
    while (starts > 0 && this.random.chance(starts)) starts -= this.startJob();
  }

  /** Ends a job on all its GPUs, because it lost one of them. */
  fail(occupant: Occupant): void {
    this.jobs.find((job) => job === occupant)?.end();
    this.jobs = this.jobs.filter((job) => job !== occupant);
  }

  private occupied(): number {
    return this.jobs.reduce((count, { plan }) => count + plan.pods.length * (plan.pods[0]?.gpus.length ?? 0), 0);
  }

  /** @returns the number of GPUs that the job occupies; 1 for a job that found no place, because the attempt counts */
  private startJob(): number {
    const kind = this.random.pick(jobKinds);
    const profile = profiles[kind];
    const hostCount = this.random.pick(profile.hosts);
    const wanted = this.random.pick(profile.gpusPerHost);
    const places = this.findPlaces(hostCount, hostCount > 1 ? Infinity : wanted);
    const name = `${this.random.pick(profile.names)}-${this.random.hex(6)}`;
    const lifetimeSeconds = this.random.betweenLog(...profile.lifetimeSeconds);
    if (places.length < hostCount) return 1;
    const { namespace, container } = profile;
    const workloadOf = (pod: number): Workload => ({ container, namespace, pod: `${name}-${pod}` });
    const pods = places.map((gpus, pod) => ({ workload: workloadOf(pod), gpus }));
    this.jobs.push(new Job({ kind, lifetimeSeconds, mayStraggle: this.mayStraggle, pods }, this.random));
    return pods.reduce((count, { gpus }) => count + gpus.length, 0);
  }

  /** Finds up to `hostCount` hosts with `gpusPerHost` free GPUs, starting at a random host.
   *  @param gpusPerHost Infinity for all GPUs of a host; on a host with fewer GPUs than this number, all must be free
   *  @returns the GPUs to use on each of these hosts */
  private findPlaces(hostCount: number, gpusPerHost: number): SimulatedGpu[][] {
    const places: SimulatedGpu[][] = [];
    const first = this.random.index(this.hosts.length);
    for (let step = 0; step < Math.min(this.hosts.length, maxHostsTried) && places.length < hostCount; step += 1) {
      const host = this.hosts[(first + step) % this.hosts.length];
      const free = host?.gpus.filter((gpu) => gpu.isFree) ?? [];
      const wanted = Math.min(gpusPerHost, host?.gpus.length ?? 0);
      if (wanted > 0 && free.length >= wanted) places.push(free.slice(0, wanted));
    }
    return places;
  }
}
