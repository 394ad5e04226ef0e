import type { Random } from "./random.ts";

/** A host's cooling: its inlet temperature, and fans that fail now and then and are repaired. */
export class Cooling {
  private failedForSeconds = 0;
  private readonly inletCelsius: number;

  constructor(private readonly random: Random) {
    this.inletCelsius = random.between(21, 27);
  }

  advance(seconds: number): void {
    this.failedForSeconds = Math.max(0, this.failedForSeconds - seconds);
    if (this.random.chance(seconds / meanSecondsToFailure)) this.failedForSeconds = this.random.between(120, 600);
  }

  /** Temperature of the air that cools the GPUs. */
  get airCelsius(): number {
    return this.inletCelsius + (this.failedForSeconds > 0 ? failedFanCelsius : 0);
  }
}

/** The mean time between the failures of one host's fans: short enough that 31 hosts have about five failures in an hour. */
const meanSecondsToFailure = 6 * 60 * 60;
/** The rise of the air temperature while the fans have failed. */
const failedFanCelsius = 28;
