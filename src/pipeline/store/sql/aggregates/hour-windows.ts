import { hourMs } from "../../../../db/sql/hour-locks.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";

/** The most GPUs times hours of a window. */
const gpuHoursMax = 16_384;
/** A window is larger than the one before it by this factor, so that a range with few records has few windows. */
const growth = 4;

/** Divides a range into spans of whole hours, from its end back or from its beginning forward. */
export class HourWindows {
  private readonly rest: { fromMs: number; toMs: number };
  private hours: number;
  private readonly hoursMax: number;

  /** @param range finite
   *  @param hours about so many hours have what is wanted */
  constructor(
    range: TimeRange,
    private readonly options: { readonly isForward: boolean; readonly hours: number; readonly gpus: number },
  ) {
    this.rest = { ...range };
    this.hoursMax = Math.max(1, Math.floor(gpuHoursMax / options.gpus));
    this.hours = Math.max(1, Math.min(options.hours, this.hoursMax));
  }

  /** @returns undefined after the last one */
  next(): TimeRange | undefined {
    const { fromMs, toMs } = this.rest;
    if (!(fromMs < toMs)) return undefined;
    const spanMs = this.hours * hourMs;
    this.hours = Math.min(this.hours * growth, this.hoursMax);
    if (this.options.isForward) {
      this.rest.fromMs = Math.min(toMs, Math.floor(fromMs / hourMs) * hourMs + spanMs);
      return { fromMs, toMs: this.rest.fromMs };
    }
    this.rest.toMs = Math.max(fromMs, Math.ceil(toMs / hourMs) * hourMs - spanMs);
    return { fromMs: this.rest.toMs, toMs };
  }
}
