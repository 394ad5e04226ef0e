import { batchOf } from "../../src/pipeline/source/simulated/simulated-batch.ts";
import { Random } from "../../src/pipeline/source/simulated/random.ts";
import { SimulatedFleet, type SimulatedFleetOptions } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import type { LiveBatch } from "../../src/pipeline/source/source.ts";
import type { LiveReadings } from "./live-fleet.ts";

export interface LossyFleetOptions extends SimulatedFleetOptions {
  /** The share of readings in which a GPU's record is lost, and of those in which all records of a host are. */
  readonly lost: number;
}

/** A simulated fleet of which records are lost at random before they are published. */
export class LossyFleet implements LiveReadings {
  readonly fleet: SimulatedFleet;
  private readonly random: Random;

  constructor(private readonly options: LossyFleetOptions) {
    this.fleet = new SimulatedFleet(options);
    this.random = new Random(options.seed, 1_000_000);
  }

  read(timeMs: number): LiveBatch {
    const { gpusPerHost, intervalMs, lost } = this.options;
    const { fleet, random } = this;
    fleet.advance();
    let isHostLost = false;
    const arriving = fleet.gpus.filter((_, index) => {
      if (index % gpusPerHost === 0) isHostLost = random.chance(lost);
      return !random.chance(lost) && !isHostLost;
    });
    const batch = batchOf(arriving, fleet.exported, timeMs);
    return {
      timeMs,
      idempotencyKey: `test:${timeMs}`,
      batch,
      reading: { timeMs, intervalMs, outcome: "read", count: 1 },
    };
  }
}
