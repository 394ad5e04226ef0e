import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";

/** The most GPUs times hours of a window, unless a unit has more. */
const gpuHoursMax = 16_384;
/** A window is larger than the one before it by this factor, so that a range with few records has few windows. */
const growth = 4;

/** Divides a range into windows of whole units of time, from its end back or from its beginning forward. */
export class TimeWindows {
  private readonly rest: { fromMs: number; toMs: number };
  private units: number;
  private readonly unitsMax: number;

  /** @param range finite
   *  @param options `unitMs`: whole hours; about so many `units` have what is wanted */
  constructor(
    range: TimeRange,
    private readonly options: {
      readonly isForward: boolean;
      readonly unitMs: number;
      readonly units: number;
      readonly gpus: number;
    },
  ) {
    this.rest = { ...range };
    this.unitsMax = Math.max(1, Math.floor((gpuHoursMax * hourMs) / options.unitMs / options.gpus));
    this.units = Math.max(1, Math.min(options.units, this.unitsMax));
  }

  /** What the windows so far have left. */
  get left(): TimeRange {
    return this.rest;
  }

  /** Goes on at an hour of what is left. @param hour its beginning; undefined: nothing is left */
  skipTo(hour: number | undefined): void {
    const { isForward, unitMs, units } = this.options;
    const { rest } = this;
    if (hour === undefined) rest.fromMs = rest.toMs;
    else if (isForward) rest.fromMs = Math.max(rest.fromMs, Math.floor(hour / unitMs) * unitMs);
    else rest.toMs = Math.min(rest.toMs, Math.ceil((hour + hourMs) / unitMs) * unitMs);
    this.units = Math.max(1, Math.min(units, this.unitsMax));
  }

  /** @returns undefined after the last one */
  next(): TimeRange | undefined {
    const { fromMs, toMs } = this.rest;
    if (!(fromMs < toMs)) return undefined;
    const { unitMs } = this.options;
    const spanMs = this.units * unitMs;
    this.units = Math.min(this.units * growth, this.unitsMax);
    if (this.options.isForward) {
      this.rest.fromMs = Math.min(toMs, Math.floor(fromMs / unitMs) * unitMs + spanMs);
      return { fromMs, toMs: this.rest.fromMs };
    }
    this.rest.toMs = Math.max(fromMs, Math.ceil(toMs / unitMs) * unitMs - spanMs);
    return { fromMs: this.rest.toMs, toMs };
  }
}
