import type { Gpu } from "../../../domain/gpu.ts";
import type { Labels } from "../../../promql/labels.ts";
import type { SelectedInstants, SelectedSeries } from "../../../promql/series-source.ts";

/** The samples for which a series has room at first: most series of a query at an instant have one or few. */
const firstLength = 1;
const growth = 4;

/** A series to which samples are added. Of the samples that no instant of the query tells apart, it keeps the newest. */
export class GrowingSeries {
  private timesMs = new Float64Array(firstLength);
  private values = new Float64Array(firstLength);
  private endsAt: number[] | undefined;
  private length = 0;
  private isInOrder = true;
  /** The instant up to which a sample replaces the newest one. */
  private replacedUntilMs = -Infinity;

  /** @param begins the device and the instant of its first sample
   *  @param selects the instants for which samples are needed */
  constructor(
    readonly labels: Labels,
    readonly begins: { readonly gpu: Gpu; readonly timeMs: number },
    private readonly selects: SelectedInstants | undefined,
  ) {}

  /** @returns how many samples the series has more than before: 0 or 1 */
  add(timeMs: number, value: number): 0 | 1 {
    const newest = this.length - 1;
    if (timeMs <= this.replacedUntilMs && timeMs >= (this.timesMs[newest] as number)) {
      if (this.endsAt?.at(-1) === newest) this.endsAt.pop();
      this.timesMs[newest] = timeMs;
      this.values[newest] = value;
      return 0;
    }
    this.append(timeMs, value);
    return 1;
  }

  private append(timeMs: number, value: number): void {
    const { length } = this;
    if (length === this.timesMs.length) {
      this.timesMs = longer(this.timesMs);
      this.values = longer(this.values);
    }
    if (length > 0 && timeMs < (this.timesMs[length - 1] as number)) this.isInOrder = false;
    this.timesMs[length] = timeMs;
    this.values[length] = value;
    this.length = length + 1;
    if (this.selects !== undefined) this.replacedUntilMs = this.selects.nextFrom(timeMs);
  }

  /** Notes that the series has no value from this instant on.
   *  @returns as `add` */
  end(timeMs: number): 0 | 1 {
    const added = this.add(timeMs, NaN);
    (this.endsAt ??= []).push(this.length - 1);
    return added;
  }

  /** The series with its samples. */
  selected(): SelectedSeries {
    const { labels, length, endsAt } = this;
    const [timesMs, values] = [ofLength(this.timesMs, length), ofLength(this.values, length)];
    const ends = endsAt && new Uint8Array(length);
    for (const index of endsAt ?? []) ends?.fill(1, index, index + 1);
    return this.isInOrder ? { labels, timesMs, values, ends } : inOrder({ labels, timesMs, values, ends });
  }
}

/** Several devices, or several series of one, may have the same labels: their samples are then in one series, by time. */
function inOrder({ labels, timesMs, values, ends }: SelectedSeries): SelectedSeries {
  const order = Array.from(timesMs, (_, index) => index).sort(
    (a, b) => (timesMs[a] as number) - (timesMs[b] as number),
  );
  return {
    labels,
    timesMs: Float64Array.from(order, (index) => timesMs[index] as number),
    values: Float64Array.from(order, (index) => values[index] as number),
    ends: ends && Uint8Array.from(order, (index) => ends[index] as number),
  };
}

/** A short copy takes less memory than a view of an array. */
function ofLength(array: Float64Array, length: number): Float64Array {
  if (array.length === length) return array;
  return length < copiedMax ? array.slice(0, length) : array.subarray(0, length);
}

const copiedMax = 64;

function longer(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const result = new Float64Array(array.length * (array.length < copiedMax ? growth : 2));
  result.set(array);
  return result;
}
