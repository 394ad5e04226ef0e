import type { Random } from "./random.ts";

/** A host's cooling: its inlet temperature, and fans that fail now and then and are repaired. */
export class Cooling {
  private secondsUntilRepair = 0;
  private readonly inletCelsius: number;

  /** @param fails false: the fans never fail */
  constructor(
    private readonly random: Random,
    private readonly fails: boolean,
  ) {
    this.inletCelsius = random.between(21, 27);
  }

  advance(seconds: number): void {
    this.secondsUntilRepair = Math.max(0, this.secondsUntilRepair - seconds);
    if (!this.fails) return;
    if (this.random.chance(seconds / meanSecondsToFailure)) this.secondsUntilRepair = this.random.between(120, 600);
  }

  /** Temperature of the air that cools the GPUs. */
  get airCelsius(): number {
    return this.inletCelsius + (this.secondsUntilRepair > 0 ? failedFanCelsius : 0);
  }
}

/** The mean time between the failures of one host's fans: short enough that 31 hosts have about five failures in an hour. */
const meanSecondsToFailure = 6 * 60 * 60;
/** The rise of the air temperature while the fans are down. */
const failedFanCelsius = 28;
