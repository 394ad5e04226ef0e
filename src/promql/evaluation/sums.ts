/** A sum with the error that adding in floating point makes, as Neumaier describes it. Prometheus adds in the same way. */
export class ExactSum {
  private error = 0;

  constructor(private sum = 0) {}

  add(value: number): void {
    const total = this.sum + value;
    if (!Number.isFinite(total)) this.error = 0;
    else if (Math.abs(this.sum) >= Math.abs(value)) this.error += this.sum - total + value;
    else this.error += value - total + this.sum;
    this.sum = total;
  }

  get total(): number {
    return this.sum + this.error;
  }

  /** The sum without its error. */
  get rounded(): number {
    return this.sum;
  }
}

/** A mean that does not overflow. */
export class Mean {
  private readonly mean = new ExactSum();
  private count = 0;

  add(value: number): void {
    this.count += 1;
    const mean = this.mean.rounded;
    // an infinite mean stays, unless a value contradicts it
    const isInfinite = Math.abs(mean) === Infinity;
    if (isInfinite && (Number.isFinite(value) || value === mean)) return;
    this.mean.add(value / this.count - mean / this.count);
  }

  get value(): number {
    return this.mean.total;
  }
}

/** The variance, by Welford's method. */
export class Variance {
  private readonly mean = new ExactSum();
  private readonly squares = new ExactSum();
  private count = 0;

  add(value: number): void {
    this.count += 1;
    const delta = value - this.mean.total;
    this.mean.add(delta / this.count);
    this.squares.add(delta * (value - this.mean.total));
  }

  get value(): number {
    return this.squares.total / this.count;
  }
}

/** The quantile of values, between the two nearest ones.
 *  @param values are sorted in place */
export function quantileOf(quantile: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(quantile)) return NaN;
  if (quantile < 0) return -Infinity;
  if (quantile > 1) return Infinity;
  // NaN counts as the lowest value; sort() puts it last
  const sorted = values.sort();
  const nans = sorted.findIndex(Number.isNaN);
  const at = (index: number): number => {
    const count = nans === -1 ? 0 : sorted.length - nans;
    return index < count ? NaN : (sorted[index - count] as number);
  };
  const rank = quantile * (values.length - 1);
  const lower = Math.floor(rank);
  const weight = rank - lower;
  return at(lower) * (1 - weight) + at(Math.min(values.length - 1, lower + 1)) * weight;
}

/** The straight line that fits samples best.
 *  @param originMs the instant at which the line has the intercept */
export function lineOf(timesMs: Float64Array, values: Float64Array, originMs: number) {
  const [first = NaN] = values;
  if (values.every((value) => value === first)) {
    return Number.isFinite(first) ? { slope: 0, intercept: first } : { slope: NaN, intercept: NaN };
  }
  const [sumX, sumY, sumXY, sumXX] = [new ExactSum(), new ExactSum(), new ExactSum(), new ExactSum()];
  for (const [index, value] of values.entries()) {
    const x = ((timesMs[index] as number) - originMs) / 1000;
    sumX.add(x);
    sumY.add(value);
    sumXY.add(x * value);
    sumXX.add(x * x);
  }
  const count = values.length;
  const covariance = sumXY.total - (sumX.total * sumY.total) / count;
  const variance = sumXX.total - (sumX.total * sumX.total) / count;
  const slope = covariance / variance;
  return { slope, intercept: sumY.total / count - (slope * sumX.total) / count };
}
