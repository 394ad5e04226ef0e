import type { FaultEffect } from "./simulated-fault.ts";

/** What a GPU does at a step of its fault. */
export interface FaultStep {
  /** The XIDs that it has now. */
  readonly xids: readonly number[];
  readonly isReset: boolean;
}

/** A fault of one GPU, from its beginning on. */
export class GpuFault {
  private ageSeconds = -1;
  private lostReadings = 0;
  private frozen: Readonly<Record<string, number>> | undefined;
  private risen: Record<string, number> = {};
  private isLost = false;
  private hasShownXids = false;

  constructor(private readonly effect: FaultEffect) {}

  /** True if the next reading is lost. */
  get isSilent(): boolean {
    return this.isLost;
  }

  advance(seconds: number): FaultStep {
    const { xids = [], resets = [], rises = {}, lost = 0 } = this.effect;
    const before = this.ageSeconds;
    this.ageSeconds = before < 0 ? 0 : before + seconds;
    const isDue = (at: number): boolean => at > before && at <= this.ageSeconds;
    for (const [metric, perSecond] of Object.entries(rises)) {
      this.risen[metric] = (this.risen[metric] ?? 0) + perSecond * seconds;
    }
    const due = xids.filter(([at]) => isDue(at)).map(([, code]) => code);
    this.lostReadings += due.length > 0 && !this.hasShownXids ? 0 : lost;
    this.hasShownXids ||= due.length > 0;
    // a sixth, six times, is less than 1 by a rounding error
    this.isLost = this.lostReadings > 1 - 1e-9;
    if (this.isLost) this.lostReadings -= 1;
    return { xids: due, isReset: resets.some(isDue) };
  }

  /** The readings as the fault makes them. */
  applied<Readings extends Readonly<Record<string, number>>>(readings: Readings): Readings {
    const { values = {}, isFrozen = false } = this.effect;
    if (isFrozen) return (this.frozen ??= readings) as Readings;
    const changed: Record<string, number> = { ...readings };
    for (const [metric, risen] of Object.entries(this.risen)) {
      if (metric in changed) changed[metric] = Math.floor((changed[metric] as number) + risen);
    }
    for (const [metric, value] of Object.entries(values)) if (metric in changed) changed[metric] = value;
    return changed as Readings;
  }
}
