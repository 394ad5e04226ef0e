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
 *  1. names that only DCGM 4.7 has: a ratio. If a value is nevertheless a percentage, the exposition has series of several exporters, and
 *     decides nothing;
 *  2. a value from 2 to 100: a percentage, whatever the HELP says, which is the exporter's and not DCGM's;
 *  3. what was decided before, as long as nothing says that the exporter has been replaced: the percentages of DCGM 4.6 are integers,
 *     so a value with decimals is none; a 1 is either, so it needs the names and the HELP with which the unit was decided;
 *  4. the HELP of the metric. */
export class RatioDecision {
  private decided: { readonly unit: RatioUnit; readonly exporter: ReadonlySet<string> } | undefined;

  /** @returns the unit; undefined if nothing has decided it yet */
  decide({ names, help, values }: RatioEvidence): RatioUnit | undefined {
    const exporter = new Set([...names, help]);
    const named = ratioUnitOf(exporter);
    const isPercent = values.some((value) => value >= 2 && value <= 100);
    if (named === "ratio" && isPercent) return undefined;
    const certain = named ?? (isPercent ? "percent" : undefined);
    const found = certain ?? this.remembered(exporter, values) ?? unitIn(help);
    if (found !== undefined) this.decided = { unit: found, exporter };
    return found;
  }

  private remembered(exporter: ReadonlySet<string>, values: readonly number[]): RatioUnit | undefined {
    const hasDecimals = values.some((value) => !Number.isInteger(value));
    if (hasDecimals && this.decided?.unit === "percent") this.decided = undefined;
    const { decided } = this;
    if (decided === undefined) return undefined;
    const isSame = exporter.size === decided.exporter.size && exporter.isSubsetOf(decided.exporter);
    return hasDecimals || isSame ? decided.unit : undefined;
  }
}

function unitIn(help: string): RatioUnit | undefined {
  if (/%|percent/i.test(help)) return "percent";
  return /ratio|0(?:\.0)?\s*(?:-|to)\s*1\b/i.test(help) ? "ratio" : undefined;
}
