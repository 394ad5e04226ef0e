import type { CustomValue } from "../batch.ts";
import { metrics } from "../metrics.ts";

/** The number of a series in one batch: the index of a catalogue metric; custom series are numbered after the catalogue. */
export type SeriesNumber = number;

/** Small, because a scrape has 8 records. */
const firstLength = 16;

/** A column of doubles that grows. A record without a value has NaN. */
class Column {
  private values: Float64Array;

  constructor(expectedLength: number) {
    this.values = new Float64Array(Math.max(firstLength, expectedLength)).fill(NaN);
  }

  get(record: number): number {
    return record < this.values.length ? (this.values[record] as number) : NaN;
  }

  set(record: number, value: number): void {
    if (record >= this.values.length) this.grow(record + 1);
    this.values[record] = value;
  }

  cut(length: number): Float64Array {
    if (length > this.values.length) this.grow(length);
    return this.values.slice(0, length);
  }

  private grow(neededLength: number): void {
    const grown = new Float64Array(Math.max(neededLength, this.values.length * 2)).fill(NaN);
    grown.set(this.values);
    this.values = grown;
  }
}

interface CustomSeries {
  readonly name: string;
  readonly number: SeriesNumber;
  /** By record. */
  readonly values: Map<number, number>;
}

/** The values of a batch that is being built. If a series of a record gets several values, the greatest is kept. The counts of
 *  duplicates and conflicts do not depend on the order of the values. */
export class SampleValues {
  samples = 0;
  duplicates = 0;
  conflicts = 0;
  private readonly columns: (Column | undefined)[] = [];
  private readonly custom = new Map<string, CustomSeries>();
  private readonly customNames: string[] = [];
  /** The values that are not the greatest, by the series' number and the record. */
  private readonly lesser = new Map<string, Set<number>>();
  private readonly conflictsByRecord = new Map<number, number>();

  /** @param expectedRecords about how many records the batch will have, such as those of the batch before it */
  constructor(private readonly expectedRecords = 0) {}

  /** Sets the value of a catalogue metric. */
  set(record: number, metricIndex: number, value: number): void {
    const column = (this.columns[metricIndex] ??= new Column(this.expectedRecords));
    const previous = column.get(record);
    // NaN is the only value that differs from itself
    if (previous !== previous) {
      column.set(record, value);
      this.samples += 1;
    } else if (previous === value) this.duplicates += 1;
    else if (this.isGreatest(record, metricIndex, [previous, value])) column.set(record, value);
  }

  /** Sets the value of a metric that is not in the catalogue, or of a labelled series. @returns the number of the series */
  setCustom(record: number, name: string, value: number): SeriesNumber {
    const { number, values } = this.customSeries(name);
    const previous = values.get(record);
    if (previous === undefined) {
      values.set(record, value);
      this.samples += 1;
    } else if (previous === value) this.duplicates += 1;
    else if (this.isGreatest(record, number, [previous, value])) values.set(record, value);
    return number;
  }

  nameOf(series: SeriesNumber): string {
    return metrics[series]?.name ?? this.customNames[series - metrics.length] ?? "";
  }

  conflictsOf(record: number): number {
    return this.conflictsByRecord.get(record) ?? 0;
  }

  /** The columns of the catalogue's metrics, by name. */
  cutColumns(recordCount: number): Map<string, Float64Array> {
    const columns = new Map<string, Float64Array>();
    this.columns.forEach((column, index) => {
      const metric = metrics[index];
      if (column !== undefined && metric !== undefined) columns.set(metric.name, column.cut(recordCount));
    });
    return columns;
  }

  customValues(): CustomValue[] {
    return [...this.custom.values()].flatMap(({ name, values }) =>
      Array.from(values, ([record, value]) => ({ record, metric: name, value })),
    );
  }

  /** The values that are not the greatest of their series and record. */
  lesserValues(): CustomValue[] {
    return [...this.lesser].flatMap(([key, values]) => {
      const [series, record] = key.split(" ").map(Number) as [number, number];
      return Array.from(values, (value) => ({ record, metric: this.nameOf(series), value }));
    });
  }

  /** Counts a value that differs from the kept one: as a duplicate if it occurred before, otherwise as a conflict.
   *  @returns true if the value is to be kept */
  private isGreatest(record: number, series: SeriesNumber, [kept, value]: readonly [number, number]): boolean {
    const key = `${series} ${record}`;
    const lesser = this.lesser.get(key) ?? new Set<number>();
    if (lesser.has(value)) {
      this.duplicates += 1;
      return false;
    }
    this.lesser.set(key, lesser.add(Math.min(kept, value)));
    this.conflicts += 1;
    this.conflictsByRecord.set(record, this.conflictsOf(record) + 1);
    return value > kept;
  }

  private customSeries(name: string): CustomSeries {
    const existing = this.custom.get(name);
    if (existing !== undefined) return existing;
    const number = metrics.length + this.customNames.push(name) - 1;
    const series = { name, number, values: new Map<number, number>() };
    this.custom.set(name, series);
    return series;
  }
}
