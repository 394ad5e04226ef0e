import { addPartial, nearestSum } from "./partial-sums.ts";

/** Exporters print at most 6 digits after the point. */
const digitsMax = 9;
const powers = Array.from({ length: digitsMax + 1 }, (_, digits) => 10 ** digits);
const widePower = 10n ** BigInt(digitsMax);
/** Of decimals with at most 15 digits, each is another double, so that a double stands for one decimal. */
const integerMax = 2 ** 49;

/** A sum that is too large for one double, or has values that are no decimals of few digits. */
export interface WideSum {
  /** Units of 10^-9. */
  integer: bigint;
  /** See `addPartial`. */
  readonly partials: number[];
}

/** Entries, and the cell that each is added to. */
export interface EntriesAdded {
  readonly entries: Int32Array;
  readonly cells: Int32Array;
  readonly length: number;
}

/** Some values of a column. */
interface ValuesBetween {
  readonly values: Float64Array;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Pieces of a column of values, and the cell that each is added to. */
export interface PiecesAdded {
  /** Piece `i` has the values from `bounds[i]` up to `bounds[i + 1]`. */
  readonly bounds: Int32Array;
  /** -1: the piece is not added. */
  readonly cells: Int32Array;
  /** The number of pieces. */
  readonly length: number;
}

/** Columns with an element for each entry. */
interface SumsOfEntries {
  readonly counts: Float64Array;
  readonly minima: Float64Array;
  readonly excesses: Float64Array;
  /** How many digits after the point their decimals have at most; undefined if that is not known, or if some are no decimals. */
  readonly digits: number | undefined;
}

/** Sums of values that are the same to the bit in whatever order values, or sums of them, are added. What exporters print are decimals of
 *  few digits: their integers are added. The other values are added exactly, too, which takes longer. */
export class ExactSums {
  private integers: Float64Array;
  private readonly wide = new Map<number, WideSum>();
  private digits = 0;
  private power = 1;
  private limit = limitOf(0);

  /** @param count the number of sums, each of which begins at 0 */
  constructor(count: number) {
    this.integers = new Float64Array(count);
  }

  /** Adds sums, which begin at 0. @param count the number of sums from now on */
  grow(count: number): void {
    const larger = new Float64Array(count);
    larger.set(this.integers);
    this.integers = larger;
  }

  /** Adds a value to a sum. */
  add(index: number, value: number): void {
    const integer = Math.round(value * this.power);
    const sum = (this.integers[index] as number) + integer;
    if (integer / this.power === value && Math.abs(integer) < this.limit && Number.isSafeInteger(sum))
      this.integers[index] = sum;
    else this.addOther(index, value, 1);
  }

  /** Adds values to a sum. @param values NaN: none */
  addBetween(index: number, { values, from, to }: ValuesBetween): void {
    for (let place = from; place < to; place += 1) {
      place = this.addDecimals(index, { values, from: place, to });
      if (place < to) this.add(index, values[place] as number);
    }
  }

  /** Adds values as long as they are decimals of no more digits than those before. @returns the place of the first other one */
  private addDecimals(index: number, { values, from, to }: ValuesBetween): number {
    const { power, limit, integers } = this;
    let sum = integers[index] as number;
    let place = from;
    for (; place < to; place += 1) {
      const value = values[place] as number;
      if (value !== value) continue;
      const integer = Math.round(value * power);
      const next = sum + integer;
      // as in `add`
      if (integer / power !== value || Math.abs(integer) >= limit || Math.abs(next) > Number.MAX_SAFE_INTEGER) break;
      sum = next;
    }
    integers[index] = sum;
    return place;
  }

  /** Adds the values of pieces, each to the sum of its cell. NaN: no value. */
  addPieces(values: Float64Array, { bounds, cells, length }: PiecesAdded): void {
    for (let piece = 0; piece < length; piece += 1) {
      const cell = cells[piece] as number;
      if (cell >= 0) this.addBetween(cell, { values, from: bounds[piece] as number, to: bounds[piece + 1] as number });
    }
  }

  /** Adds a value to a sum so many times. */
  addTimes(index: number, value: number, times: number): void {
    const integer = Math.round(value * this.power);
    const product = integer * times;
    const sum = (this.integers[index] as number) + product;
    const isSafe = Number.isSafeInteger(product) && Number.isSafeInteger(sum);
    if (integer / this.power === value && Math.abs(integer) < this.limit && isSafe) this.integers[index] = sum;
    else this.addOther(index, value, times);
  }

  /** Adds the sums of entries: of each its least value as often as it has values, and its excess. NaN as excess: the sum is not added.
   *  @param added the first `length` elements of the columns count */
  addEntries({ entries, cells, length }: EntriesAdded, { counts, minima, excesses, digits }: SumsOfEntries): void {
    if (digits !== undefined && digits > this.digits) this.refine(digits);
    // without digits, no entry is known to be a decimal: each is added as values are
    const power = digits === undefined ? NaN : this.power;
    const { integers, limit } = this;
    for (let index = 0; index < length; index += 1) {
      // not destructured: that would take more time than the rest
      const entry = entries[index] as number;
      const cell = cells[index] as number;
      const least = minima[entry] as number;
      const excess = excesses[entry] as number;
      const leastInteger = Math.round(least * power);
      const excessInteger = Math.round(excess * power);
      const product = leastInteger * (counts[entry] as number);
      const sum = (integers[cell] as number) + product + excessInteger;
      const isExact =
        Math.abs(leastInteger) < limit &&
        Math.abs(excessInteger) < limit &&
        Math.abs(product) + Math.abs(excessInteger) <= Number.MAX_SAFE_INTEGER &&
        Math.abs(sum) <= Number.MAX_SAFE_INTEGER;
      if (isExact) integers[cell] = sum;
      else if (!Number.isNaN(excess)) {
        this.addTimes(cell, least, counts[entry] as number);
        this.add(cell, excess);
      }
    }
  }

  /** Adds a sum. */
  addWide(index: number, { integer, partials }: WideSum): void {
    const wide = this.wideOf(index);
    wide.integer += integer;
    for (const partial of partials) addPartial(wide.partials, partial);
  }

  /** The double nearest to a sum, or next to it. */
  sum(index: number): number {
    if (this.wide.size === 0 || !this.wide.has(index)) return (this.integers[index] as number) / this.power;
    const { integer, partials } = this.wideSum(index);
    return nearest(integer) + nearestSum(partials);
  }

  /** The whole of a sum. */
  wideSum(index: number): WideSum {
    const own = BigInt(this.integers[index] as number) * (widePower / BigInt(this.power));
    const { integer, partials } = this.wide.get(index) ?? { integer: 0n, partials: [] };
    return { integer: own + integer, partials };
  }

  private addOther(index: number, value: number, times: number): void {
    const digits = digitsOf(value);
    if (digits === undefined) {
      const { partials } = this.wideOf(index);
      for (let left = times; left > 0; left -= 1) addPartial(partials, value);
      return;
    }
    if (digits > this.digits) {
      this.refine(digits);
      this.addTimes(index, value, times);
      return;
    }
    const integer = BigInt(Math.round(value * (powers[digits] as number)));
    this.wideOf(index).integer += integer * BigInt(times) * 10n ** BigInt(digitsMax - digits);
  }

  /** Counts in smaller units. */
  private refine(digits: number): void {
    const factor = 10 ** (digits - this.digits);
    for (let index = 0; index < this.integers.length; index += 1) {
      const integer = (this.integers[index] as number) * factor;
      if (!Number.isSafeInteger(integer)) {
        this.wideOf(index).integer += BigInt(this.integers[index] as number) * (widePower / BigInt(this.power));
      }
      this.integers[index] = Number.isSafeInteger(integer) ? integer : 0;
    }
    this.digits = digits;
    this.power = powers[digits] as number;
    this.limit = limitOf(digits);
  }

  private wideOf(index: number): WideSum {
    let wide = this.wide.get(index);
    if (wide === undefined) this.wide.set(index, (wide = { integer: 0n, partials: [] }));
    return wide;
  }
}

/** The double that stands for a decimal sum; undefined if the sum has too many digits. */
export function asDecimal(units: bigint): number | undefined {
  const { integer, digits } = fewestDigits(units);
  const narrow = Number(integer);
  return Math.abs(narrow) < limitOf(digits) ? narrow / (powers[digits] as number) : undefined;
}

/** The units of 10^-9 of a decimal; undefined if the value is no decimal. */
export function unitsOf(value: number): bigint | undefined {
  const digits = digitsOf(value);
  if (digits === undefined) return undefined;
  return BigInt(Math.round(value * (powers[digits] as number))) * 10n ** BigInt(digitsMax - digits);
}

function nearest(units: bigint): number {
  const { integer, digits } = fewestDigits(units);
  return Number(integer) / (powers[digits] as number);
}

/** The same number without zeros at its end: then the double does not depend on the units that were added. */
function fewestDigits(units: bigint): { readonly integer: bigint; readonly digits: number } {
  if (units % widePower === 0n) return { integer: units / widePower, digits: 0 };
  let [integer, digits] = [units, digitsMax];
  for (; integer % 10n === 0n; digits -= 1) integer /= 10n;
  return { integer, digits };
}

/** The fewest digits after the point that write a value as a decimal; undefined if it is no decimal. */
function digitsOf(value: number): number | undefined {
  const digits = powers.findIndex((power, count) => {
    const integer = Math.round(value * power);
    return integer / power === value && Math.abs(integer) < limitOf(count);
  });
  return digits < 0 ? undefined : digits;
}

/** An integer stands for itself as far as doubles have all integers. */
function limitOf(digits: number): number {
  return digits === 0 ? Number.MAX_SAFE_INTEGER : integerMax;
}
