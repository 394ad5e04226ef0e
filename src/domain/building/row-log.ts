/** Where an input is: see RejectedInput for `line` and `byte`. */
export interface InputPlace {
  readonly line: number;
  readonly byte: number;
}

/** What a row has added to a record: a value, or only a description of the GPU. */
export interface LoggedValue extends InputPlace {
  readonly record: number;
  /** Undefined if the row has added no value. */
  readonly series: number | undefined;
  /** The row's own value, even if the record has kept a greater one of another row; NaN if the row has added no value. */
  readonly value: number;
}

/** Takes the place of a series number if a row adds no value. */
export const noSeries = -1;

/** Small, because each scrape has a log of its own. */
const firstLength = 64;

/** Remembers which row has added which value, for rows that turn out to be unusable after others have been read. It is
 *  written for every value and hardly ever read, so its entries are in columns. */
export class RowLog {
  private length = 0;
  private records = new Int32Array(firstLength);
  private series = new Int32Array(firstLength);
  private values = new Float64Array(firstLength);
  private lines = new Float64Array(firstLength);
  private bytes = new Float64Array(firstLength);
  private line = 0;
  private byte = 0;

  /** Deletes all entries. */
  clear(): void {
    this.length = 0;
  }

  /** Sets the place of the row that is read next. */
  moveTo(line: number, byte: number): void {
    this.line = line;
    this.byte = byte;
  }

  add(record: number, series: number, value: number): void {
    const at = this.length;
    if (at === this.records.length) this.grow();
    this.records[at] = record;
    this.series[at] = series;
    this.values[at] = value;
    this.lines[at] = this.line;
    this.bytes[at] = this.byte;
    this.length = at + 1;
  }

  /** The entries of the given records, in the order of the rows. */
  *entriesOf(records: { has(record: number): boolean }): Iterable<LoggedValue> {
    for (let at = 0; at < this.length; at += 1) {
      const record = this.records[at] as number;
      if (!records.has(record)) continue;
      const series = this.series[at] as number;
      const place = { line: this.lines[at] as number, byte: this.bytes[at] as number };
      yield { ...place, record, series: series === noSeries ? undefined : series, value: this.values[at] as number };
    }
  }

  private grow(): void {
    const length = this.records.length * 2;
    const grown = <Column extends Int32Array | Float64Array>(from: Column, to: Column): Column => {
      to.set(from);
      return to;
    };
    this.records = grown(this.records, new Int32Array(length));
    this.series = grown(this.series, new Int32Array(length));
    this.values = grown(this.values, new Float64Array(length));
    this.lines = grown(this.lines, new Float64Array(length));
    this.bytes = grown(this.bytes, new Float64Array(length));
  }
}
