import { ExactSum, lineOf, Mean, quantileOf, Variance } from "./sums.ts";

/** The samples of a series in a range, and the range; both of its ends are included. */
export interface Window {
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
  readonly fromMs: number;
  readonly toMs: number;
}

/** @returns undefined if there are too few samples */
type RangeFunction = (window: Window, parameter: number) => number | undefined;

const fold =
  (add: () => { add(value: number): void }, result: (sum: never) => number): RangeFunction =>
  ({ values }) => {
    const sum = add();
    for (const value of values) sum.add(value);
    return result(sum as never);
  };

/** The functions of a series' samples in a range, by name. A window has at least one sample. */
export const rangeFunctions: Readonly<Record<string, RangeFunction>> = {
  rate: (window) => extrapolated(window, { isCounter: true, isRate: true }),
  increase: (window) => extrapolated(window, { isCounter: true, isRate: false }),
  delta: (window) => extrapolated(window, { isCounter: false, isRate: false }),
  irate: (window) => ofLastTwo(window, true),
  idelta: (window) => ofLastTwo(window, false),
  deriv: ({ timesMs, values }) => (values.length < 2 ? undefined : lineOf(timesMs, values, timesMs[0] as number).slope),
  changes: ({ values }) => countPairs(values, (a, b) => a !== b && !(Number.isNaN(a) && Number.isNaN(b))),
  resets: ({ values }) => countPairs(values, (a, b) => b < a),
  avg_over_time: fold(
    () => new Mean(),
    (mean: Mean) => mean.value,
  ),
  sum_over_time: fold(
    () => new ExactSum(),
    (sum: ExactSum) => sum.total,
  ),
  stdvar_over_time: fold(
    () => new Variance(),
    (variance: Variance) => variance.value,
  ),
  stddev_over_time: fold(
    () => new Variance(),
    (variance: Variance) => Math.sqrt(variance.value),
  ),
  min_over_time: ({ values }) =>
    values.reduce((least, value) => (value < least || Number.isNaN(least) ? value : least)),
  max_over_time: ({ values }) => values.reduce((most, value) => (value > most || Number.isNaN(most) ? value : most)),
  count_over_time: ({ values }) => values.length,
  last_over_time: ({ values }) => values.at(-1),
  present_over_time: () => 1,
  quantile_over_time: ({ values }, quantile) => quantileOf(quantile, values.slice()),
};

function countPairs(values: Float64Array, counts: (a: number, b: number) => boolean): number {
  let count = 0;
  for (let index = 1; index < values.length; index += 1) {
    if (counts(values[index - 1] as number, values[index] as number)) count += 1;
  }
  return count;
}

function ofLastTwo({ timesMs, values }: Window, isRate: boolean): number | undefined {
  const [before, last] = [values.at(-2), values.at(-1)];
  const ms = (timesMs.at(-1) ?? NaN) - (timesMs.at(-2) ?? NaN);
  if (before === undefined || last === undefined || ms === 0) return undefined;
  // after a reset, a counter has counted from zero
  const change = isRate && last < before ? last : last - before;
  return isRate ? change / (ms / 1000) : change;
}

/** The change over a whole range, by the samples in it. Where the range begins or ends near samples, the change is taken to go on; where it
 *  does not, by half of the average time between samples.
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/functions/#rate */
function extrapolated(
  { timesMs, values, fromMs, toMs }: Window,
  { isCounter, isRate }: { readonly isCounter: boolean; readonly isRate: boolean },
): number | undefined {
  const [first, last] = [values[0], values.at(-1)];
  if (values.length < 2 || first === undefined || last === undefined) return undefined;
  const change = isCounter ? withoutResets(values, last - first) : last - first;
  const [firstMs, lastMs] = [timesMs[0] ?? NaN, timesMs.at(-1) ?? NaN];
  const sampledSeconds = (lastMs - firstMs) / 1000;
  const betweenSeconds = sampledSeconds / (values.length - 1);
  const threshold = betweenSeconds * 1.1;
  const within = (seconds: number): number => (seconds >= threshold ? betweenSeconds / 2 : seconds);
  let beforeSeconds = within((firstMs - fromMs) / 1000);
  // a counter was never below zero
  if (isCounter && change > 0 && first >= 0) {
    beforeSeconds = Math.min(beforeSeconds, sampledSeconds * (first / change));
  }
  const factor = (sampledSeconds + beforeSeconds + within((toMs - lastMs) / 1000)) / sampledSeconds;
  return change * (isRate ? factor / ((toMs - fromMs) / 1000) : factor);
}

/** Adds to a counter's change what it had before each reset. */
function withoutResets(values: Float64Array, change: number): number {
  let sum = change;
  for (let index = 1; index < values.length; index += 1) {
    const before = values[index - 1] as number;
    if ((values[index] as number) < before) sum += before;
  }
  return sum;
}
