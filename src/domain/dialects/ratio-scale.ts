import { ambiguousRatio, dcgm47Only } from "./dcgm-spellings.ts";
import { fromRatio, same } from "./scale.ts";
import type { Spelling } from "./spelling.ts";
import { spellings } from "./spelling-of.ts";

/** The unit of `DCGM_FI_DEV_GPU_UTIL_RATIO`, whose name does not tell it: DCGM 4.6 has this name for a percentage, an integer; DCGM
 *  4.7 for a ratio from 0 to 1. */
export type RatioUnit = "percent" | "ratio";

/** The spelling with a unit that has been decided. */
export const decidedRatio: Readonly<Record<RatioUnit, Spelling>> = {
  percent: { ...ambiguous(), scale: same, width: "int32", isAmbiguous: false },
  ratio: { ...ambiguous(), scale: fromRatio, width: "fp64", isAmbiguous: false },
};

/** The unit that the other names of an input decide.
 *  @param names names of metrics and labels
 *  @returns undefined if none of them is of DCGM 4.7 alone */
export function ratioUnitOf(names: Iterable<string>): RatioUnit | undefined {
  for (const name of names) if (dcgm47Only.has(name)) return "ratio";
  return undefined;
}

function ambiguous(): Spelling {
  return spellings.find(({ name }) => name === ambiguousRatio) as Spelling;
}
