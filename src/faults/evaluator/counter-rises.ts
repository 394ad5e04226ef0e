import { readerOf, type Observation, type ReadMetric } from "./observation.ts";

/** How much the counters of a device have risen since the record before that had them. After a reset, the whole value counts. */
export class CounterRises {
  private readonly readers: readonly (readonly [name: string, read: ReadMetric])[];
  private readonly rises: Float64Array;
  private readonly seconds: Float64Array;

  constructor(private readonly names: readonly string[]) {
    this.readers = names.map((name) => [name, readerOf(name)] as const);
    this.rises = new Float64Array(names.length);
    this.seconds = new Float64Array(names.length);
  }

  /** The number of a counter, for the methods below. */
  indexOf(name: string): number {
    return this.names.indexOf(name);
  }

  /** Reads the counters of a record. */
  observe({ device, record, atMs }: Observation): void {
    const { counters } = device;
    for (let index = 0; index < this.readers.length; index += 1) {
      const [name, read] = this.readers[index] as (typeof this.readers)[number];
      const value = read(record);
      this.rises[index] = NaN;
      if (value === undefined) continue;
      const before = counters[name];
      if (before === undefined) counters[name] = [value, atMs];
      else if (atMs > before[1]) {
        this.rises[index] = value >= before[0] ? value - before[0] : value;
        this.seconds[index] = (atMs - before[1]) / 1000;
        before[0] = value;
        before[1] = atMs;
      }
    }
  }

  /** @returns NaN if the record has no new value of the counter */
  riseOf(index: number): number {
    return this.rises[index] as number;
  }

  /** @returns NaN as of `riseOf` */
  perSecondOf(index: number): number {
    return (this.rises[index] as number) / (this.seconds[index] as number);
  }
}
