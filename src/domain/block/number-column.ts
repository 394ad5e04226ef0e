import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type Decimals, decimalsOf, digitsMax, divide } from "./decimals.ts";
import { readDoubles, writeDoubles } from "./packed-doubles.ts";
import { IntegersPlan, readIntegers, writeIntegers } from "./packed-integers.ts";
import { periodOf, readPeriod } from "./period.ts";
import { type Presence, presenceOf, readPresence, writePresence } from "./presence.ts";

// The column of a block that has the values of one series, one for each record of the block; NaN: the record has no value. It is
// restored to the bit, -0 and infinities included.
//
// The column begins with a byte: the kind of the numbers in bits 0 and 1, whether values are absent in bit 2, whether there are
// other values among decimals in bit 3, whether the presence is repeated in bit 4, and whether integers have a period in bit 5. The upper
// bits are 0; a later format may use them. Then, if values are absent, which ones (presence.ts). Then the values that are present, as
// doubles (packed-doubles.ts), or as decimals: the number of digits (a byte); the first integer (varint, zigzag); the other values, if
// there are any (their number, then for each the number of values since the last one, and a double); the period, if there is one
// (a byte); the integers less the first one, or their differences, or the differences of those (packed-integers.ts). Those that have a
// period, such as the instants of scrapes that take several records each, are less the integer a period before, first of all.

/** The kinds. The number of a kind of decimals says how often differences are taken. */
const kindDoubles = 3;
const hasAbsent = 4;
const hasOthers = 8;
const isRepeated = 16;
const hasPeriod = 32;
const flagsMax = 63;

/** Of use for one column at a time. */
const writer = new ByteWriter(2 ** 16);

/** Encodes the values of a series. */
export function encodeNumbers(values: Float64Array): Uint8Array {
  const presence = presenceOf(values);
  const present = presence === undefined ? values : presentOf(values, presence);
  const flags = presence === undefined ? 0 : hasAbsent | (presence.period === 0 ? 0 : isRepeated);
  writer.clear();
  const decimals = decimalsOf(present);
  if (decimals === undefined) {
    writer.uint8(kindDoubles | flags);
    if (presence !== undefined) writePresence(writer, presence);
    writeDoubles(writer, present);
    return writer.written();
  }
  const { first, order, period, plan } = differencesOf(decimals.integers);
  writer.uint8(order | flags | (decimals.others.length === 0 ? 0 : hasOthers) | (period === 0 ? 0 : hasPeriod));
  if (presence !== undefined) writePresence(writer, presence);
  writer.uint8(decimals.digits);
  writer.varint(first >= 0 ? first * 2 : first * -2 - 1);
  if (decimals.others.length > 0) writeOthers(writer, decimals, present);
  if (period > 0) writer.uint8(period);
  writeIntegers(writer, plan);
  return writer.written();
}

/** The values without NaN. */
function presentOf(values: Float64Array, { bits, present }: Presence): Float64Array {
  const found = new Float64Array(present);
  let next = 0;
  for (let index = 0; index < values.length; index += 1) {
    if (bits[index] === 1) found[next++] = values[index] as number;
  }
  return found;
}

/** The values of a series. */
export interface NumberColumn {
  /** NaN: the record has no value. */
  readonly values: Float64Array;
  /** How many digits after the point the values have, all of which are then decimals; undefined if some are not. */
  readonly digits: number | undefined;
}

/** Gives an array of a length, which may have any content. */
export type TakeColumn = (length: number) => Float64Array;

const newColumn: TakeColumn = (length) => new Float64Array(length);

/** Decodes the values of a series.
 *  @param count the number of records of the block; memory for so many values is taken whatever the bytes say
 *  @throws UndecodableBlock if the bytes are damaged, or were not made from `count` values */
export function decodeNumbers(bytes: Uint8Array, count: number): Float64Array {
  return decodeColumn(bytes, count).values;
}

/** The same, with what is known of all of the values.
 *  @param take gives the array that the values are written to */
export function decodeColumn(bytes: Uint8Array, count: number, take: TakeColumn = newColumn): NumberColumn {
  const reader = new ByteReader(bytes);
  const flags = reader.uint8();
  if (flags > flagsMax)
    throw reader.error(`the first byte is ${flags}: damaged, or of a newer version of this program`);
  const all = take(count);
  const bits = (flags & hasAbsent) === 0 ? undefined : readPresence(reader, count, (flags & isRepeated) !== 0);
  const values = bits === undefined ? all : new Float64Array(onesOf(bits));
  const digits = readValues(reader, values, flags);
  if (!reader.isAtEnd) throw reader.error("bytes are left over");
  if (bits !== undefined) spread(values, bits, all);
  return { values: all, digits };
}

function onesOf(bits: Uint8Array): number {
  let ones = 0;
  for (let index = 0; index < bits.length; index += 1) ones += bits[index] as number;
  return ones;
}

/** The inverse of `presentOf`. */
function spread(values: Float64Array, bits: Uint8Array, all: Float64Array): void {
  let next = 0;
  for (let index = 0; index < bits.length; index += 1)
    all[index] = bits[index] === 1 ? (values[next++] as number) : NaN;
}

/** @returns see `NumberColumn` */
function readValues(reader: ByteReader, values: Float64Array, flags: number): number | undefined {
  if ((flags & 3) !== kindDoubles) return readDecimals(reader, values, flags);
  readDoubles(reader, values);
  return undefined;
}

function readDecimals(reader: ByteReader, values: Float64Array, flags: number): number | undefined {
  const order = flags & 3;
  const digits = reader.uint8();
  if (digits > digitsMax) throw reader.error(`decimals of ${digits} digits`);
  const zigzag = reader.varint();
  const first = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  const others = (flags & hasOthers) === 0 ? [] : readOthers(reader, values.length);
  const period = (flags & hasPeriod) === 0 ? 0 : readPeriod(reader);
  readIntegers(reader, values, order === 0 && period === 0 ? first : 0);
  if (order > 0) sumUp(values, order, period === 0 ? first : 0);
  if (period > 0) sumUpByPeriod(values, period, first);
  divide(values, digits);
  for (const [place, value] of others) values[place] = value;
  return (flags & hasOthers) === 0 ? digits : undefined;
}

/** Undoes the differences from the integers a period before. */
function sumUpByPeriod(values: Float64Array, period: number, first: number): void {
  for (let index = 0; index < values.length; index += 1) {
    const before = index < period ? first : (values[index - period] as number);
    values[index] = (values[index] as number) + before;
  }
}

/** Undoes the differences. @param order 1 or 2 */
function sumUp(values: Float64Array, order: number, first: number): void {
  let [value, step] = [first, 0];
  for (let index = 0; index < values.length; index += 1) {
    const read = values[index] as number;
    if (order === 1) value += read;
    else value += step += read;
    values[index] = value;
  }
}

interface Differences {
  readonly first: number;
  readonly order: number;
  /** 0: there is none. */
  readonly period: number;
  readonly plan: IntegersPlan;
}

/** Integers, and how they are written. It is of use for one column at a time: most columns are short, and take less time than new arrays. */
class Tried {
  readonly plan = new IntegersPlan();
  private integers = new Float64Array(1024);

  /** Room for so many integers, which may have any content. */
  take(count: number): Float64Array<ArrayBuffer> {
    if (count > this.integers.length) this.integers = new Float64Array(count * 2);
    return this.integers;
  }
}
const tried = { plain: new Tried(), once: new Tried(), twice: new Tried(), byPeriod: new Tried() };

/** Takes differences as often as makes the column smallest: noise around a level is smallest as it is, what drifts as differences,
 *  regular times and counters as differences of those. */
function differencesOf(integers: Float64Array): Differences {
  const count = integers.length;
  const first = integers[0] ?? 0;
  const plain = tried.plain.take(count);
  for (let index = 0; index < count; index += 1) plain[index] = (integers[index] as number) - first;
  const { plan } = tried.plain;
  plan.find(plain, count, true);
  if (plan.cost === 0) return { first, order: 0, period: 0, plan };
  const once = tried.once.take(count);
  takeDifferences(plain, once, { count, places: 1 });
  const planOnce = tried.once.plan;
  planOnce.find(once, count, true);
  let best: Differences = { first, order: 0, period: 0, plan };
  if (planOnce.cost <= plan.cost) best = differencesOfOnce(first, once, count);
  // less than a bit for each is worth no search
  const period = best.plan.cost * 8 < count ? 0 : periodOf(once.subarray(0, count), count / 16);
  if (period === 0) return best;
  const byPeriod = tried.byPeriod.take(count);
  takeDifferences(plain, byPeriod, { count, places: period });
  takeDifferences(byPeriod, byPeriod, { count, places: 1 });
  const planOfPeriod = tried.byPeriod.plan;
  planOfPeriod.find(byPeriod, count, true);
  return planOfPeriod.cost + 1 < best.plan.cost ? { first, order: 1, period, plan: planOfPeriod } : best;
}

/** The differences, or the differences of those. What differences make larger, those of differences make larger still. */
function differencesOfOnce(first: number, once: Float64Array, count: number): Differences {
  const planOnce = tried.once.plan;
  const twice = tried.twice.take(count);
  takeDifferences(once, twice, { count, places: 1 });
  const { plan } = tried.twice;
  plan.find(twice, count, false);
  if (plan.cost >= planOnce.cost) return { first, order: 1, period: 0, plan: planOnce };
  plan.find(twice, count, true);
  return { first, order: 2, period: 0, plan };
}

/** Writes the integers to `target`, each less the one some places before; before the first one, all are 0. */
function takeDifferences(
  integers: Float64Array,
  target: Float64Array,
  { count, places }: { readonly count: number; readonly places: number },
): void {
  for (let index = count - 1; index >= places; index -= 1)
    target[index] = (integers[index] as number) - (integers[index - places] as number);
  for (let index = Math.min(places, count) - 1; index >= 0; index -= 1) target[index] = integers[index] as number;
}

function writeOthers(writer: ByteWriter, { others }: Decimals, values: Float64Array): void {
  writer.varint(others.length);
  let last = 0;
  for (const place of others) {
    writer.varint(place - last);
    writer.double(values[place] as number);
    last = place;
  }
}

function readOthers(reader: ByteReader, count: number): (readonly [place: number, value: number])[] {
  const others: (readonly [number, number])[] = [];
  let place = 0;
  for (let left = reader.count(count); left > 0; left -= 1) {
    place += reader.varint();
    if (place >= count) throw reader.error(`a value at ${place} of ${count}`);
    others.push([place, reader.double()]);
  }
  return others;
}
