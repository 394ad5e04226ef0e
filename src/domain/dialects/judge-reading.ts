import { metrics } from "../metrics.ts";
import { isAnyBlank, isBlankOf } from "../value.ts";
import type { Spelling, Width } from "./spelling.ts";

const isBlank: Readonly<Record<Width, (value: number) => boolean>> = {
  ...isBlankOf,
  uint16: (value) => value === 0xffff || value === 0xffffffff || value === 2 ** 64,
  uint32: (value) => value === 0xffffffff || value === 2 ** 64,
  uint64: (value) => value === 2 ** 64,
};

/** The value to store (0 for -0), in the unit of our metric, or the reason not to store it. `undecided`: the spelling does not tell
 *  the unit, and the number may be in either. */
export type JudgedReading = number | "missing" | "out_of_range" | "undecided";

/** Judges a number that an input has under a spelling, in the spelling's unit. A number is a blank by the width of its own field,
 *  before it is converted: 2147483632 bytes are a value, 2147483632 MHz are not. Outside the metric's range, a blank of any width
 *  means 'no value', because exporters widen and convert. Of a spelling whose unit is not decided, 0 is 0 in either unit, and a
 *  number from 2 on is no ratio: a ratio exceeds 1 only by its rounding. */
export function judgeReading(spelling: Spelling, value: number): JudgedReading {
  const declared = metrics[spelling.metricIndex];
  if (declared === undefined || !Number.isFinite(value)) return "out_of_range";
  if (isBlank[spelling.width](value)) return "missing";
  if (spelling.isAmbiguous && value > 0 && value < 2) return "undecided";
  const converted = spelling.isAmbiguous ? value : spelling.scale.convert(value);
  if (converted >= declared.min && converted <= declared.max) return converted === 0 ? 0 : converted;
  return isAnyBlank(value) || (value === 0xffffffff && declared.unit === "percent") ? "missing" : "out_of_range";
}
