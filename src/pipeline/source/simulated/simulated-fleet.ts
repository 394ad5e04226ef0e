import { type DeviceShares, noShares } from "./devices/device-shares.ts";
import { ExportedGpu } from "./devices/exported-gpu.ts";
import { type ChosenFault, FleetFaults, type StruckFault } from "./faults/fleet-faults.ts";
import { Incidents } from "./incidents.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";
import { SimulatedHost } from "./simulated-host.ts";

export interface SimulatedFleetOptions {
  readonly hosts: number;
  readonly gpusPerHost: number;
  /** With the other options, determines the fleet and its history. */
  readonly seed: number;
  /** Time that one tick simulates. */
  readonly intervalMs: number;
  readonly clusterId: string;
  /** Absent: each GPU has one row for each metric. The GPUs' own readings do not depend on it. */
  readonly shares?: DeviceShares;
  /** The faults of the fleet, which has no others. Absent: incidents, hot and slow GPUs at random. */
  readonly chosenFaults?: readonly ChosenFault[];
}

/** Ticks before the fleet is first read: it then has jobs of various ages, and warm GPUs. */
const warmUpTicks = 12;
const warmUpTickSeconds = 30;

/** Hosts, GPUs and the jobs on them, simulated tick by tick. It needs no clock: the same options and the same number of ticks
 *  give the same readings. */
export class SimulatedFleet {
  /** Ordered by host, then by index. */
  readonly gpus: readonly SimulatedGpu[];
  /** The GPUs that have more than one row for a metric in the exporter's output, and these rows. */
  readonly exported: ReadonlyMap<SimulatedGpu, ExportedGpu>;
  private readonly hosts: readonly SimulatedHost[];
  private readonly scheduler: Scheduler;
  private readonly incidents: Incidents | undefined;
  private readonly faults: FleetFaults | undefined;
  private readonly tickSeconds: number;

  constructor(options: SimulatedFleetOptions) {
    const { hosts, gpusPerHost, seed, intervalMs, clusterId, shares = noShares, chosenFaults: faults } = options;
    const random = new Random(seed);
    const isChecked = faults !== undefined;
    this.hosts = Array.from(
      { length: hosts },
      (_, index) => new SimulatedHost({ seed, index, gpuCount: gpusPerHost, clusterId, isChecked }),
    );
    this.gpus = this.hosts.flatMap((host) => host.gpus);
    this.exported = new Map(
      this.gpus.flatMap((gpu, index) => {
        const exported = ExportedGpu.of(gpu, index, { shares, seed });
        return exported === undefined ? [] : [[gpu, exported] as const];
      }),
    );
    this.scheduler = new Scheduler(this.hosts, random, !isChecked);
    if (faults === undefined) this.incidents = new Incidents(this.scheduler, random);
    this.tickSeconds = intervalMs / 1000;
    for (let tick = 0; tick < warmUpTicks; tick += 1) this.pass(warmUpTickSeconds);
    for (const gpu of this.gpus) gpu.beginEnergy();
    if (faults === undefined) return;
    this.faults = new FleetFaults(this.hosts, this.scheduler, { faults, seed, intervalSeconds: this.tickSeconds });
  }

  /** The chosen faults and what each strikes. */
  get struck(): readonly StruckFault[] {
    return this.faults?.struck ?? [];
  }

  /** Advances the fleet by one interval. */
  advance(): void {
    this.pass(this.tickSeconds);
  }

  private pass(seconds: number): void {
    this.scheduler.advance(seconds);
    for (const gpu of this.incidents === undefined ? [] : this.gpus) this.incidents?.strike(gpu, seconds);
    this.faults?.advance(seconds);
    for (const host of this.hosts) host.advance(seconds);
    for (const gpu of this.exported.values()) gpu.advance(seconds);
  }
}
