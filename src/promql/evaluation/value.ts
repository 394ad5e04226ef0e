import { type Labels, labelsText } from "../labels.ts";
import { LabelsMap } from "../labels-map.ts";
import { failed } from "../promql-error.ts";
import type { Work } from "../work.ts";

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

type Vector = Extract<Value, { readonly kind: "vector" }>;

/** Makes something of each series, one after another. The rest of the process gets its turn now and then. */
export async function ofEachSeries<Series, Made>(
  series: readonly Series[],
  { work, valuesOf }: { readonly work: Work; readonly valuesOf: (each: Series) => number },
  make: (each: Series) => Made,
): Promise<Made[]> {
  const made: Made[] = [];
  for (const each of series) {
    await work.didSeries(valuesOf(each));
    made.push(make(each));
  }
  return made;
}

/** Adds to the steps with a value those of another series. */
export function addSteps(steps: Uint8Array, isPresent: Uint8Array): void {
  for (let step = 0; step < isPresent.length; step += 1) if (isPresent[step] === 1) steps[step] = 1;
}

/** A series without values yet. */
export function emptySeries(labels: Labels, steps: number): VectorSeries {
  return { labels, values: new Float64Array(steps), isPresent: new Uint8Array(steps) };
}

/** A vector of the series that have any value. No two of them have the same labels. */
export function presentOf(series: readonly VectorSeries[]): Vector {
  return { kind: "vector", series: series.filter(({ isPresent }) => isPresent.includes(1)) };
}

/** Joins series whose labels have become the same.
 *  @throws PromqlError if two of them have a value at the same step */
export async function vectorOf(series: readonly VectorSeries[], work: Work): Promise<Vector> {
  const joined = new LabelsMap<VectorSeries>();
  for (const each of series) {
    await work.didSeries();
    if (!each.isPresent.includes(1)) continue;
    const other = joined.get(each.labels);
    joined.set(each.labels, other === undefined ? each : join(other, each));
  }
  return { kind: "vector", series: [...joined.values()] };
}

/** The series, which must all have labels of their own, even if no two of them have a value at the same step.
 *  @throws PromqlError if two have the same labels */
export async function distinctVectorOf(series: readonly VectorSeries[], work: Work): Promise<Vector> {
  const vector = presentOf(series);
  const known = new LabelsMap<true>();
  for (const { labels } of vector.series) {
    await work.didSeries();
    if (known.has(labels)) throw sameLabels(labels);
    known.set(labels, true);
  }
  return vector;
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
