import type { Clock } from "../../src/kit/clock.ts";
import { SimulatedFleet, type SimulatedFleetOptions } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import type { SimulatedGpu } from "../../src/pipeline/source/simulated/simulated-gpu.ts";

/** A late reader makes up for at most this many ticks. */
const maxTicksAtOnce = 100;

/** A simulated fleet that goes on with the clock when it is read, tick by tick. */
export class ServedFleet {
  readonly fleet: SimulatedFleet;
  /** The hosts' names, and their GPUs. */
  readonly hosts: ReadonlyMap<string, readonly SimulatedGpu[]>;
  /** The number of ticks so far. */
  private ticks = 0;
  private readonly startedAtMs: number;

  constructor(
    private readonly options: SimulatedFleetOptions,
    private readonly clock: Clock,
  ) {
    this.fleet = new SimulatedFleet(options);
    this.hosts = Map.groupBy(this.fleet.gpus, ({ gpu }) => gpu.hostname);
    this.startedAtMs = clock.nowMs();
  }

  /** Advances the fleet to now. @returns the number of the tick, which grows when the values change */
  catchUp(): number {
    const due = Math.floor((this.clock.nowMs() - this.startedAtMs) / this.options.intervalMs);
    this.ticks = Math.max(this.ticks, due - maxTicksAtOnce);
    for (; this.ticks < due; this.ticks += 1) this.fleet.advance();
    return this.ticks;
  }
}
