import { UnusableSource } from "../../../../domain/errors.ts";
import { type Gpu, noWorkload, type Workload } from "../../../../domain/gpu.ts";
import { type Demand, noDemand, type Occupant } from "../demand.ts";
import { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";
import type { SimulatedGpu } from "../simulated-gpu.ts";
import type { SimulatedHost } from "../simulated-host.ts";
import { GpuFault } from "./gpu-fault.ts";
import type { SimulatedFault } from "./simulated-fault.ts";

/** A fault of a fleet, with its time since the fleet's beginning; the end is not included. */
export interface ChosenFault {
  readonly name: string;
  readonly fault: SimulatedFault;
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** A fault and what it strikes. */
export interface StruckFault extends ChosenFault {
  readonly host: SimulatedHost;
  /** The GPUs that have it. */
  readonly gpus: readonly SimulatedGpu[];
}

/** The stream of random numbers of the chosen faults; higher ones are those of exported GPUs, and lower ones those of hosts. */
const stream = 900_000;

/** The faults that were chosen for a fleet. Each strikes a host of its own; which host and GPU depends on the seed and the faults
 *  alone. A fault that is to begin before the first reading begins, and ends, so much later that it begins with the second one: what the
 *  first record of a device says happened before, and a device that has never reported is not missed. */
export class FleetFaults {
  readonly struck: readonly StruckFault[];
  private seconds = 0;
  private readonly begun = new Set<StruckFault>();
  /** The GPUs whose driver has another version meanwhile, as they were. */
  private readonly before = new Map<SimulatedGpu, Gpu>();

  /** @throws UnusableSource if there are more faults than hosts */
  constructor(
    private readonly hosts: readonly SimulatedHost[],
    private readonly scheduler: Scheduler,
    {
      faults,
      seed,
      intervalSeconds,
    }: { readonly faults: readonly ChosenFault[]; readonly seed: number; readonly intervalSeconds: number },
  ) {
    if (faults.length > hosts.length)
      throw new UnusableSource(`${faults.length} faults need as many hosts; the fleet has ${hosts.length}`);
    const random = new Random(seed, stream);
    const order = hosts.map((host) => ({ host, place: random.next() })).sort((a, b) => a.place - b.place);
    this.struck = faults.map((fault, index) => {
      const { host } = order[index] as (typeof order)[number];
      return { ...afterFirstReading(fault, intervalSeconds), host, gpus: this.gpusOf(fault.fault, host, random) };
    });
  }

  advance(seconds: number): void {
    this.seconds += seconds;
    for (const struck of this.struck) {
      const lastsUntil = Math.min(struck.toSeconds, struck.fromSeconds + (struck.fault.lastsSeconds ?? Infinity));
      const isActive = this.seconds >= struck.fromSeconds && this.seconds < lastsUntil;
      if (isActive && !this.begun.has(struck)) this.begin(struck);
      if (!isActive && this.begun.has(struck)) this.end(struck);
    }
    for (const { gpus } of this.begun) {
      for (const gpu of gpus) {
        const step = gpu.fault?.advance(seconds);
        for (const code of step?.xids ?? []) gpu.raiseXid(code);
        if (step?.isReset === true) gpu.reset();
      }
    }
  }

  private begin(struck: StruckFault): void {
    const { fault, host, gpus } = struck;
    this.begun.add(struck);
    if (fault.hostRuns !== undefined) this.occupy(host.gpus, fault.hostRuns, host);
    if (fault.isHeldIdle === true) this.occupy(gpus, "idle", host);
    for (const gpu of gpus) {
      gpu.fault = new GpuFault(fault);
      if (fault.driverVersion === undefined) continue;
      this.before.set(gpu, gpu.gpu);
      gpu.gpu = { ...gpu.gpu, driverVersion: fault.driverVersion };
    }
  }

  private end(struck: StruckFault): void {
    const { fault, host, gpus } = struck;
    this.begun.delete(struck);
    for (const gpu of gpus) {
      gpu.fault = undefined;
      gpu.gpu = this.before.get(gpu) ?? gpu.gpu;
    }
    const held = fault.hostRuns === undefined ? (fault.isHeldIdle === true ? gpus : []) : host.gpus;
    for (const gpu of held) gpu.release();
  }

  private occupy(gpus: readonly SimulatedGpu[], kind: keyof typeof occupants, { hostname }: SimulatedHost): void {
    for (const gpu of gpus) {
      if (gpu.occupant !== undefined) this.scheduler.fail(gpu.occupant);
      gpu.assign(occupants[kind], workloads[kind](hostname), 1);
    }
  }

  private gpusOf({ strikes = "gpu" }: SimulatedFault, host: SimulatedHost, random: Random): readonly SimulatedGpu[] {
    const first = random.index(host.gpus.length);
    switch (strikes) {
      case "cluster":
        return this.hosts.flatMap(({ gpus }) => gpus);
      case "host":
        return host.gpus;
      case "two gpus":
        return [0, 1].flatMap((each) => host.gpus[(first + each) % host.gpus.length] ?? []);
      case "gpu":
        return host.gpus.slice(first, first + 1);
    }
  }
}

function afterFirstReading(fault: ChosenFault, intervalSeconds: number): ChosenFault {
  const { fromSeconds, toSeconds } = fault;
  const lateSeconds = fromSeconds > intervalSeconds ? 0 : 2 * intervalSeconds - fromSeconds;
  return { ...fault, fromSeconds: fromSeconds + lateSeconds, toSeconds: toSeconds + lateSeconds };
}

/** Full load without pauses. */
const training: Demand = {
  ...{ utilization: 0.97, memoryBandwidth: 0.5, tensor: 0.5, memoryShare: 0.8, decoder: 0, encoder: 0 },
};
const occupants: Readonly<Record<"training" | "nothing" | "idle", Occupant>> = {
  training: { demandOf: () => training },
  nothing: { demandOf: () => noDemand },
  idle: { demandOf: () => ({ ...noDemand, memoryShare: 0.2 }) },
};
const workloads: Readonly<Record<keyof typeof occupants, (hostname: string) => Workload>> = {
  training: (hostname) => ({ namespace: "training", pod: `llm-train-${hostname}-0`, container: "pytorch" }),
  nothing: () => noWorkload,
  idle: (hostname) => ({ namespace: "notebooks", pod: `jupyter-${hostname}`, container: "notebook" }),
};
