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
 *  4. what was decided before, as long as nothing says that the exporter has been replaced: the percentages of DCGM 4.6 are integers,
 *     so a value with decimals is none; a 1 is either, so it needs the names with which the unit was decided. */
export class RatioDecision {
  private decided: { readonly unit: RatioUnit; readonly names: ReadonlySet<string> } | undefined;

  /** @returns the unit; undefined if nothing has decided it yet */
  decide(evidence: RatioEvidence): RatioUnit | undefined {
    const names = new Set(evidence.names);
    const found = ratioUnitOf(names) ?? unitIn(evidence.help) ?? unitOf(evidence.values);
    if (found === undefined) return this.remembered(names, evidence.values);
    this.decided = { unit: found, names };
    return found;
  }

  private remembered(names: ReadonlySet<string>, values: readonly number[]): RatioUnit | undefined {
    const hasDecimals = values.some((value) => !Number.isInteger(value));
    if (hasDecimals && this.decided?.unit === "percent") this.decided = undefined;
    const { decided } = this;
    if (decided === undefined) return undefined;
    const isSame = names.size === decided.names.size && names.isSubsetOf(decided.names);
    return hasDecimals || isSame ? decided.unit : undefined;
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
