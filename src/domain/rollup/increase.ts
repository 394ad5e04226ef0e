import { metrics } from "../metrics.ts";
import type { ExactSums } from "./exact-sums.ts";

const rising: ReadonlySet<string> = new Set(
  // the counters that are states are not summed
  metrics.flatMap(({ name, kind, fold }) => (kind === "counter" && fold === "sum" ? [name] : [])),
);

/** True if summaries of a metric of the catalogue have its increase: it counts something. */
export const hasIncrease = (name: string): boolean => rising.has(name);

/** Values of a counter in the order of time; NaN: none. */
export interface CounterValues {
  readonly values: Float64Array;
  readonly from: number;
  readonly to: number;
}

/** Adds to a sum how much a counter increased from one value to the next one. A counter that became less has started at 0 again,
 *  or at its value if that is below 0, so that no increase is negative.
 *  @param previous the value before the first one; NaN if there is none: the first value then counts nothing */
export function addIncrease(
  sums: ExactSums,
  index: number,
  { values, from, to, previous }: CounterValues & { readonly previous: number },
): void {
  const addRise = (): void => {
    if (begin === last) return;
    sums.add(index, last);
    if (begin !== 0) sums.add(index, -begin);
  };
  // what lies between the ends of a rise is added by its ends alone, and so without rounding
  let [begin, last] = [previous, previous];
  for (let place = from; place < to; place += 1) {
    const value = values[place] as number;
    if (Number.isNaN(value)) continue;
    if (Number.isNaN(last)) begin = value;
    else if (value < last) {
      addRise();
      begin = Math.min(0, value);
    }
    last = value;
  }
  if (!Number.isNaN(last)) addRise();
}

/** The first value; NaN if there is none. */
export function firstValue({ values, from, to }: CounterValues): number {
  for (let place = from; place < to; place += 1) {
    const value = values[place] as number;
    if (!Number.isNaN(value)) return value;
  }
  return NaN;
}

/** The last value; NaN if there is none. */
export function lastValue({ values, from, to }: CounterValues): number {
  for (let place = to - 1; place >= from; place -= 1) {
    const value = values[place] as number;
    if (!Number.isNaN(value)) return value;
  }
  return NaN;
}
