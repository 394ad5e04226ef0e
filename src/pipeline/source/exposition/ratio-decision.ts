import type { RatioUnit } from "../../../domain/dialects/ratio-scale.ts";
import { ratioUnitOf } from "../../../domain/dialects/ratio-scale.ts";

/** What an exposition tells about the unit of `DCGM_FI_DEV_GPU_UTIL_RATIO`. */
export interface RatioEvidence {
  /** The names of its metrics and labels. */
  readonly names: Iterable<string>;
  /** The HELP of the ratio; empty if there is none. */
  readonly help: string;
  /** The values of the ratio. */
  readonly values: readonly number[];
}

/** Decides the unit of `DCGM_FI_DEV_GPU_UTIL_RATIO` for a target. In this order:
 *
 *  1. names that only DCGM 4.7 has: a ratio;
 *  2. the HELP of the metric;
 *  3. a value above 1 and up to 100: a percentage;
 *  4. what was decided before. A percentage that only values have told is doubted again when a value has decimals: the percentages of
 *     DCGM 4.6 are integers, so the exporter has been replaced. */
export class RatioDecision {
  private decided: RatioUnit | undefined;

  /** @returns the unit; undefined if nothing has decided it yet */
  decide({ names, help, values }: RatioEvidence): RatioUnit | undefined {
    const found = ratioUnitOf(names) ?? unitIn(help) ?? unitOf(values);
    const isDoubted = this.decided === "percent" && values.some((value) => !Number.isInteger(value));
    this.decided = found ?? (isDoubted ? undefined : this.decided);
    return this.decided;
  }
}

function unitIn(help: string): RatioUnit | undefined {
  if (/%|percent/i.test(help)) return "percent";
  return /ratio|0(?:\.0)?\s*(?:-|to)\s*1\b/i.test(help) ? "ratio" : undefined;
}

/** A greater number is nonsense, and tells nothing. */
function unitOf(values: readonly number[]): RatioUnit | undefined {
  return values.some((value) => value > 1 && value <= 100) ? "percent" : undefined;
}
