import { type EntriesAdded, ExactSums, type PiecesAdded } from "./exact-sums.ts";
import { addEntries, addIncreases, type MetricRollup } from "./metric-rollup.ts";

/** The summaries of a metric, in columns with an element for each cell. */
export interface MetricSums {
  counts: Float64Array;
  minima: Float64Array;
  maxima: Float64Array;
  readonly sums: ExactSums;
  /** Of a counter whose increases are wanted. */
  readonly increases: ExactSums | undefined;
}

/** Summaries of metrics by group and bucket, a span of time. They do not depend on the order in which values are added. */
export class BucketSums {
  /** The number of records of each cell. */
  records = new Float64Array(0);
  readonly metrics: readonly MetricSums[];
  private groups = 0;

  /** @param buckets their number
   *  @param hasIncrease for each metric, whether its increases are wanted */
  constructor(
    readonly buckets: number,
    hasIncrease: readonly boolean[],
  ) {
    this.metrics = hasIncrease.map((isCounter) => ({
      counts: new Float64Array(0),
      minima: new Float64Array(0),
      maxima: new Float64Array(0),
      sums: new ExactSums(0),
      increases: isCounter ? new ExactSums(0) : undefined,
    }));
  }

  /** @param group from 0
   *  @returns the index of its element in the columns */
  cell(group: number, bucket: number): number {
    if (group >= this.groups) this.grow(Math.max(group + 1, this.groups * 2));
    return group * this.buckets + bucket;
  }

  /** The number of groups that the columns have. */
  get groupCount(): number {
    return this.groups;
  }

  /** Adds the values of pieces, each to a cell.
   *  @param values NaN: none */
  addValues(metric: number, values: Float64Array, pieces: PiecesAdded): void {
    const { counts, minima, maxima, sums } = this.metrics[metric] as MetricSums;
    const { bounds, cells, length } = pieces;
    for (let piece = 0; piece < length; piece += 1) {
      const cell = cells[piece] as number;
      if (cell < 0) continue;
      const to = bounds[piece + 1] as number;
      let count = counts[cell] as number;
      let minimum = minima[cell] as number;
      let maximum = maxima[cell] as number;
      for (let index = bounds[piece] as number; index < to; index += 1) {
        const value = values[index] as number;
        // NaN is neither; of 0 and -0, which are shown alike, either is kept
        if (value < minimum) minimum = value;
        if (value > maximum) maximum = value;
        if (value === value) count += 1;
      }
      counts[cell] = count;
      minima[cell] = minimum;
      maxima[cell] = maximum;
    }
    sums.addPieces(values, pieces);
  }

  /** Adds entries of a rollup, each to a cell. */
  addEntries(metric: number, rollup: MetricRollup, added: EntriesAdded): void {
    const { counts, minima, maxima, sums, increases } = this.metrics[metric] as MetricSums;
    const { entries, cells, length } = added;
    for (let index = 0; index < length; index += 1) {
      const entry = entries[index] as number;
      const cell = cells[index] as number;
      const count = rollup.counts[entry] as number;
      if (!(count > 0)) continue;
      counts[cell] = (counts[cell] as number) + count;
      // Math.min and Math.max would take longer; of 0 and -0, which are shown alike, either is kept
      const least = rollup.minima[entry] as number;
      if (least < (minima[cell] as number)) minima[cell] = least;
      const greatest = rollup.maxima[entry] as number;
      if (greatest > (maxima[cell] as number)) maxima[cell] = greatest;
    }
    addEntries(sums, rollup, added);
    if (increases !== undefined && rollup.changes !== undefined) addIncreases(increases, rollup.changes, added);
  }

  private grow(groups: number): void {
    const count = groups * this.buckets;
    this.records = grown(this.records, count, 0);
    for (const metric of this.metrics) {
      metric.counts = grown(metric.counts, count, 0);
      metric.minima = grown(metric.minima, count, Infinity);
      metric.maxima = grown(metric.maxima, count, -Infinity);
      metric.sums.grow(count);
      metric.increases?.grow(count);
    }
    this.groups = groups;
  }
}

function grown(column: Float64Array, count: number, value: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(count);
  larger.set(column);
  larger.fill(value, column.length);
  return larger;
}
