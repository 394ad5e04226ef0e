import { type Labels, labelsKey, labelsText } from "../labels.ts";
import { failed } from "../promql-error.ts";

/** The instants at which a query is evaluated. */
export interface Steps {
  readonly startMs: number;
  /** The end of the query, at which or before which the last step is. */
  readonly endMs: number;
  readonly stepMs: number;
  readonly count: number;
  /** How long a sample counts if none follows. */
  readonly lookbackMs: number;
}

/** The instant of a step. */
export function stepMsOf({ startMs, stepMs }: Steps, step: number): number {
  return startMs + step * stepMs;
}

/** A series of a vector: its value at each step. */
export interface VectorSeries {
  readonly labels: Labels;
  readonly values: Float64Array;
  /** 1 for each step at which the series has a value. */
  readonly isPresent: Uint8Array;
}

/** What an expression amounts to at all steps. */
export type Value =
  | { readonly kind: "scalar"; readonly values: Float64Array }
  | { readonly kind: "vector"; readonly series: readonly VectorSeries[] }
  | { readonly kind: "string"; readonly text: string };

/** A series without values yet. */
export function emptySeries(labels: Labels, steps: number): VectorSeries {
  return { labels, values: new Float64Array(steps), isPresent: new Uint8Array(steps) };
}

/** Joins series whose labels have become the same.
 *  @throws PromqlError if two of them have a value at the same step */
export function vectorOf(series: readonly VectorSeries[]): Extract<Value, { kind: "vector" }> {
  const joined = new Map<string, VectorSeries>();
  for (const each of series) {
    if (!each.isPresent.includes(1)) continue;
    const key = labelsKey(each.labels);
    const other = joined.get(key);
    joined.set(key, other === undefined ? each : join(other, each));
  }
  return { kind: "vector", series: [...joined.values()] };
}

/** The series, which must all have labels of their own, even if no two of them have a value at the same step.
 *  @throws PromqlError if two have the same labels */
export function distinctVectorOf(series: readonly VectorSeries[]): Extract<Value, { kind: "vector" }> {
  const present = series.filter(({ isPresent }) => isPresent.includes(1));
  const known = new Set<string>();
  for (const { labels } of present) {
    const key = labelsKey(labels);
    if (known.has(key)) throw sameLabels(labels);
    known.add(key);
  }
  return { kind: "vector", series: present };
}

function sameLabels(labels: Labels): Error {
  return failed(`vector cannot contain metrics with the same labelset: ${labelsText(labels)}`);
}

function join(a: VectorSeries, b: VectorSeries): VectorSeries {
  const values = a.values.slice();
  const isPresent = a.isPresent.slice();
  for (let step = 0; step < values.length; step += 1) {
    if (b.isPresent[step] !== 1) continue;
    if (isPresent[step] === 1) throw sameLabels(a.labels);
    values[step] = b.values[step] ?? NaN;
    isPresent[step] = 1;
  }
  return { labels: a.labels, values, isPresent };
}

/** The series with the values that `map` makes of its own; those without a result are left out.
 *  @param map returns undefined for a step that has no value */
export function mapped(
  { labels, values, isPresent }: VectorSeries,
  newLabels: (labels: Labels) => Labels,
  map: (value: number, step: number) => number | undefined,
): VectorSeries {
  const result = emptySeries(newLabels(labels), values.length);
  for (let step = 0; step < values.length; step += 1) {
    if (isPresent[step] !== 1) continue;
    const value = map(values[step] as number, step);
    if (value === undefined) continue;
    result.values[step] = value;
    result.isPresent[step] = 1;
  }
  return result;
}
