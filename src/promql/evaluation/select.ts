import { withoutName } from "../labels.ts";
import { failed } from "../promql-error.ts";
import type { SelectedInstants, SelectedSeries } from "../series-source.ts";
import type { RangeExpression, SelectorExpression } from "../language/expression.ts";
import { rangeFunctions, type Window } from "./range-functions.ts";
import { emptySeries, type Steps, stepMsOf, type VectorSeries } from "./value.ts";

/** The instant that a selector selects at a step. */
function selectedMs({ at, offsetMs }: SelectorExpression, steps: Steps, step: number): number {
  if (at === undefined) return stepMsOf(steps, step) - offsetMs;
  if (at === "start" || at === "end") return (at === "start" ? steps.startMs : steps.endMs) - offsetMs;
  return at.atMs - offsetMs;
}

/** The range of the samples that a selector needs at all steps. */
export function neededRange(expression: SelectorExpression | RangeExpression, steps: Steps) {
  const [selector, rangeMs] =
    expression.kind === "range" ? [expression.selector, expression.rangeMs] : [expression, steps.lookbackMs];
  const fromMs = selectedMs(selector, steps, 0) - rangeMs;
  return { fromMs, toMs: selectedMs(selector, steps, steps.count - 1) };
}

/** The instants for which a selector needs the newest sample. */
export function instantsOf(selector: SelectorExpression, steps: Steps): SelectedInstants {
  const at = (step: number): number => selectedMs(selector, steps, step);
  const [firstMs, last] = [at(0), steps.count - 1];
  const lastMs = at(last);
  return {
    nextFrom(timeMs) {
      if (timeMs <= firstMs) return firstMs;
      if (timeMs > lastMs) return Infinity;
      let step = Math.min(last, Math.ceil((timeMs - firstMs) / steps.stepMs));
      // where the quotient is rounded, the step is one too many or too few
      while (step > 0 && at(step - 1) >= timeMs) step -= 1;
      while (at(step) < timeMs) step += 1;
      return at(step);
    },
  };
}

/** The newest sample of a series at each step.
 *  @param isTime true: its instant in seconds instead of its value */
export function newestOf(
  series: SelectedSeries,
  selector: SelectorExpression,
  { steps, isTime }: { readonly steps: Steps; readonly isTime: boolean },
): VectorSeries {
  const { timesMs, values, ends } = series;
  const result = emptySeries(isTime ? withoutName(series.labels) : series.labels, steps.count);
  let next = 0;
  for (let step = 0; step < steps.count; step += 1) {
    const atMs = selectedMs(selector, steps, step);
    while (next < timesMs.length && (timesMs[next] as number) <= atMs) next += 1;
    const newest = next - 1;
    if (newest < 0 || (timesMs[newest] as number) < atMs - steps.lookbackMs || ends?.[newest] === 1) continue;
    result.values[step] = isTime ? (timesMs[newest] as number) / 1000 : (values[newest] as number);
    result.isPresent[step] = 1;
  }
  return result;
}

/** The samples of a series, without its ends. */
export function samplesOf({ timesMs, values, ends }: SelectedSeries): Pick<Window, "timesMs" | "values"> {
  if (ends === undefined) return { timesMs, values };
  const isSample = (_: number, index: number): boolean => ends[index] !== 1;
  return { timesMs: timesMs.filter(isSample), values: values.filter(isSample) };
}

/** A range before each step. */
interface Ranges {
  readonly range: RangeExpression;
  readonly steps: Steps;
}

/** Calls `each` with the samples of a series in the range of each step that has any. */
export function eachWindow(
  series: SelectedSeries,
  { range: { selector, rangeMs }, steps }: Ranges,
  each: (window: Window, step: number) => void,
): void {
  const { timesMs, values } = samplesOf(series);
  let [first, end] = [0, 0];
  for (let step = 0; step < steps.count; step += 1) {
    const toMs = selectedMs(selector, steps, step);
    const fromMs = toMs - rangeMs;
    while (end < timesMs.length && (timesMs[end] as number) <= toMs) end += 1;
    while (first < end && (timesMs[first] as number) < fromMs) first += 1;
    if (first === end) continue;
    each({ timesMs: timesMs.subarray(first, end), values: values.subarray(first, end), fromMs, toMs }, step);
  }
}

/** A function of a series' samples in a range, at each step.
 *  @param parameters of the function, at each step */
export function ofRanges(
  name: string,
  series: SelectedSeries,
  { range, steps, parameters }: Ranges & { readonly parameters: Float64Array | undefined },
): VectorSeries {
  const compute = rangeFunctions[name];
  if (compute === undefined) throw failed(`the function ${name} is not supported`);
  const labels = name === "last_over_time" ? series.labels : withoutName(series.labels);
  const result = emptySeries(labels, steps.count);
  eachWindow(series, { range, steps }, (window, step) => {
    const value = compute(window, parameters?.[step] ?? NaN);
    if (value === undefined) return;
    result.values[step] = value;
    result.isPresent[step] = 1;
  });
  return result;
}
