import type { Labels } from "../../../promql/labels.ts";
import type { SelectedSeries } from "../../../promql/series-source.ts";

const firstLength = 32;

/** A series to which samples are added. */
export class GrowingSeries {
  private timesMs = new Float64Array(firstLength);
  private values = new Float64Array(firstLength);
  private readonly endsAt = new Set<number>();
  private length = 0;

  constructor(readonly labels: Labels) {}

  add(timeMs: number, value: number): void {
    if (this.length === this.timesMs.length) {
      this.timesMs = longer(this.timesMs);
      this.values = longer(this.values);
    }
    this.timesMs[this.length] = timeMs;
    this.values[this.length] = value;
    this.length += 1;
  }

  /** Notes that the series has no value from this instant on. */
  end(timeMs: number): void {
    this.endsAt.add(this.length);
    this.add(timeMs, NaN);
  }

  /** The series with its samples. */
  selected(): SelectedSeries {
    const { labels, length, endsAt } = this;
    const ends = endsAt.size === 0 ? undefined : Uint8Array.from({ length }, (_, index) => Number(endsAt.has(index)));
    return { labels, timesMs: this.timesMs.subarray(0, length), values: this.values.subarray(0, length), ends };
  }
}

function longer(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const result = new Float64Array(array.length * 2);
  result.set(array);
  return result;
}
