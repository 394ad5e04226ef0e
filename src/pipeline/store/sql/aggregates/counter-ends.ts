import { addIncrease, type CounterValues, firstValue, lastValue } from "../../../../domain/rollup/increase.ts";
import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import type { ExactSums } from "../../../../domain/rollup/exact-sums.ts";

/** A value of a counter. */
interface EndOfCounter {
  /** The GPU's place. */
  readonly place: number;
  readonly value: number;
  /** The beginning of the minute or hour that the value is of. */
  readonly atMs: number;
}

/** The first and the last values of a counter in an hour. */
export class HourEnds {
  private readonly lasts: Float64Array;
  private readonly lastTimes: Float64Array;
  // columns with an element for each first value and cell
  private places: number[] = [];
  private values: number[] = [];
  private times: number[] = [];
  private cells: number[] = [];

  /** @param gpus the number of GPUs, each of which has a place, from 0
   *  @param gapMs how much earlier the minute or hour of the value before may begin */
  constructor(
    gpus: number,
    private readonly gapMs: number,
  ) {
    this.lasts = new Float64Array(gpus).fill(NaN);
    this.lastTimes = new Float64Array(gpus);
  }

  hasLast(place: number): boolean {
    return !Number.isNaN(this.lasts[place]);
  }

  /** The last value so far of a GPU; NaN if there is none, or if it is too old for a value of the minute or hour that begins at `atMs`. */
  last(place: number, atMs: number): number {
    return atMs - (this.lastTimes[place] as number) > this.gapMs ? NaN : (this.lasts[place] as number);
  }

  setLast({ place, value, atMs }: EndOfCounter): void {
    this.lasts[place] = value;
    this.lastTimes[place] = atMs;
  }

  /** Adds a GPU's first value. @param cell where its increase counts */
  addFirst({ place, value, atMs }: EndOfCounter, cell: number): void {
    this.places.push(place);
    this.values.push(value);
    this.times.push(atMs);
    this.cells.push(cell);
  }

  /** Adds the increases to the first values, which are then forgotten.
   *  @param before the hour before; undefined: nothing is known of it */
  join(sums: ExactSums, before: HourEnds | undefined): void {
    const value = new Float64Array(1);
    if (before !== undefined) {
      for (let index = 0; index < this.places.length; index += 1) {
        const previous = before.last(this.places[index] as number, this.times[index] as number);
        if (Number.isNaN(previous)) continue;
        value[0] = this.values[index] as number;
        addIncrease(sums, this.cells[index] as number, { values: value, from: 0, to: 1, previous });
      }
    }
    [this.places, this.values, this.times, this.cells] = [[], [], [], []];
  }
}

/** The ends of counters by hour, from which the increases between two hours follow. */
export class CounterEnds {
  private readonly byHour = new Map<number, Map<string, HourEnds>>();
  private readonly places: ReadonlyMap<number, number>;
  private readonly known = new WeakMap<Float64Array, Int32Array>();

  /** @param gpuKeys those that values are added of
   *  @param gapMs see `HourEnds` */
  constructor(
    gpuKeys: readonly number[],
    private readonly gapMs: number,
  ) {
    this.places = new Map(gpuKeys.map((gpuKey, place) => [gpuKey, place]));
  }

  /** The places of GPUs, -1 for those that are not among the keys; quick for an array that was given before. */
  placesOf(gpuKeys: Float64Array): Int32Array {
    let places = this.known.get(gpuKeys);
    if (places === undefined) {
      places = Int32Array.from(gpuKeys, (gpuKey) => this.placeOf(gpuKey));
      this.known.set(gpuKeys, places);
    }
    return places;
  }

  placeOf(gpuKey: number): number {
    return this.places.get(gpuKey) ?? -1;
  }

  /** The ends of a counter in the hour that begins at an instant. */
  of(hour: number, name: string): HourEnds {
    let ofHour = this.byHour.get(hour);
    if (ofHour === undefined) this.byHour.set(hour, (ofHour = new Map<string, HourEnds>()));
    let ends = ofHour.get(name);
    if (ends === undefined) ofHour.set(name, (ends = new HourEnds(this.places.size, this.gapMs)));
    return ends;
  }

  /** Adds the increases from the last values of each hour to the first ones of the next one.
   *  @param increases sums that have the increases of whole hours: these are in the range */
  join(name: string, { fromMs, toMs }: TimeRange, increases: ExactSums): void {
    for (let hour = fromMs; hour < toMs; hour += hourMs) {
      this.byHour
        .get(hour)
        ?.get(name)
        ?.join(increases, this.byHour.get(hour - hourMs)?.get(name));
    }
  }

  /** Forgets the hours before an instant. */
  forgetBefore(instantMs: number): void {
    for (const hour of this.byHour.keys()) if (hour < instantMs) this.byHour.delete(hour);
  }
}

interface PlaceOfCounter {
  /** What is known of the hour so far. */
  readonly ends: HourEnds;
  readonly place: number;
  readonly atMs: number;
  /** Those that the values count in. */
  readonly cells: readonly number[];
}

/** Adds how much a counter of a GPU increased to some values of a minute or an hour. */
export function addCounter(
  increases: ExactSums | undefined,
  values: CounterValues,
  { ends, place, atMs, cells }: PlaceOfCounter,
): void {
  const last = lastValue(values);
  if (increases === undefined || Number.isNaN(last)) return;
  const previous = ends.last(place, atMs);
  const isFirst = !ends.hasLast(place);
  for (const cell of cells) {
    if (isFirst) ends.addFirst({ place, value: firstValue(values), atMs }, cell);
    addIncrease(increases, cell, { ...values, previous });
  }
  ends.setLast({ place, value: last, atMs });
}
