import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type Decimals, decimalsOf, digitsMax, divide } from "./decimals.ts";
import { readDoubles, writeDoubles } from "./packed-doubles.ts";
import { type IntegersPlan, planIntegers, readIntegers, writeIntegers } from "./packed-integers.ts";
import { readPresence, writePresence } from "./presence.ts";

// The column of a block that has the values of one series, one for each record of the block; NaN: the record has no value. It is
// restored to the bit, -0 and infinities included.
//
// The column begins with a byte: the kind of the numbers in bits 0 and 1, whether values are absent in bit 2, and whether there are
// other values among decimals in bit 3. The upper bits are 0; a later format may use them. Then, if values are absent, which
// ones (presence.ts). Then the values that are present, as doubles (packed-doubles.ts), or as decimals: the number of digits (a byte);
// the first integer (varint, zigzag); the other values, if there are any (their number, then for each the number of values since the
// last one, and a double); the integers less the first one, or their differences, or the differences of those (packed-integers.ts).

/** The kinds. The number of a kind of decimals says how often differences are taken. */
const kindDoubles = 3;
const hasAbsent = 4;
const hasOthers = 8;
const flagsMax = 15;

/** Encodes the values of a series. */
export function encodeNumbers(values: Float64Array): Uint8Array {
  const present = presentOf(values);
  const isAbsent = present.length < values.length ? hasAbsent : 0;
  const writer = new ByteWriter(values.length * 2);
  const decimals = decimalsOf(present);
  if (decimals === undefined) {
    writer.uint8(kindDoubles | isAbsent);
    if (isAbsent > 0) writePresence(writer, values);
    writeDoubles(writer, present);
    return writer.written();
  }
  const { first, order, differences, plan } = differencesOf(decimals.integers);
  writer.uint8(order | isAbsent | (decimals.others.length === 0 ? 0 : hasOthers));
  if (isAbsent > 0) writePresence(writer, values);
  writer.uint8(decimals.digits);
  writer.varint(first >= 0 ? first * 2 : first * -2 - 1);
  if (decimals.others.length > 0) writeOthers(writer, decimals, present);
  writeIntegers(writer, differences, plan);
  return writer.written();
}

/** The values without NaN. */
function presentOf(values: Float64Array): Float64Array {
  for (let index = 0; index < values.length; index += 1) {
    if (Number.isNaN(values[index])) return values.filter((value) => !Number.isNaN(value));
  }
  return values;
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
  const places = (flags & hasAbsent) === 0 ? undefined : readPresence(reader, count);
  const values = places === undefined ? all : new Float64Array(places.length);
  const digits = readValues(reader, values, flags);
  if (!reader.isAtEnd) throw reader.error("bytes are left over");
  if (places !== undefined) {
    all.fill(NaN);
    places.forEach((place, index) => (all[place] = values[index] as number));
  }
  return { values: all, digits };
}

/** @returns see `NumberColumn` */
function readValues(reader: ByteReader, values: Float64Array, flags: number): number | undefined {
  const order = flags & 3;
  if (order !== kindDoubles) return readDecimals(reader, values, { order, hasOthers: (flags & hasOthers) !== 0 });
  readDoubles(reader, values);
  return undefined;
}

function readDecimals(
  reader: ByteReader,
  values: Float64Array,
  { order, hasOthers: areOthers }: { readonly order: number; readonly hasOthers: boolean },
): number | undefined {
  const digits = reader.uint8();
  if (digits > digitsMax) throw reader.error(`decimals of ${digits} digits`);
  const zigzag = reader.varint();
  const others = areOthers ? readOthers(reader, values.length) : [];
  const first = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  readIntegers(reader, values, order === 0 ? first : 0);
  if (order > 0) sumUp(values, order, first);
  divide(values, digits);
  for (const [place, value] of others) values[place] = value;
  return areOthers ? undefined : digits;
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
  readonly differences: Float64Array;
  readonly plan: IntegersPlan;
}

/** Takes differences as often as makes the column smallest: noise around a level is smallest as it is, what drifts as differences,
 *  regular times and counters as differences of those. */
function differencesOf(integers: Float64Array): Differences {
  const first = integers[0] ?? 0;
  const plain = new Float64Array(integers.length);
  for (let index = 0; index < integers.length; index += 1) plain[index] = (integers[index] as number) - first;
  const plan = planIntegers(plain, true);
  if (plan.cost === 0) return { first, order: 0, differences: plain, plan };
  const once = differencesBetween(plain);
  const planOnce = planIntegers(once, true);
  const twice = differencesBetween(once);
  if (planIntegers(twice, false).cost < Math.min(plan.cost, planOnce.cost)) {
    return { first, order: 2, differences: twice, plan: planIntegers(twice, true) };
  }
  return plan.cost < planOnce.cost
    ? { first, order: 0, differences: plain, plan }
    : { first, order: 1, differences: once, plan: planOnce };
}

function differencesBetween(integers: Float64Array): Float64Array {
  const differences = new Float64Array(integers.length);
  let last = 0;
  for (let index = 0; index < integers.length; index += 1) {
    const integer = integers[index] as number;
    differences[index] = integer - last;
    last = integer;
  }
  return differences;
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
