import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

// Integers are written in groups of 64. Each group has integers of one width in bits: most of its values fit into it, and those that
// do not (exceptions) have their upper bits behind the others. A single outlier then costs a few bytes, and not 64 times its width.
//
// A group is: a header; the base (varint, zigzag) if the header says so; the number of exceptions, the width of their upper bits and
// their indexes (a byte each) if the header says so; 64 (the last group: fewer) integers of `width` bits; the upper bits of the
// exceptions. An integer is the zigzag of the difference from the base. The header of a run of groups of zeros is followed by
// their number.

const groupSize = 64;
const widthMask = 63;
const hasBase = 64;
const hasExceptions = 128;
/** The header of a run: a width that no group has. */
const zeroRun = 63;
/** The greatest width: an integer of a group is below 2^53. */
const widthMax = 53;

/** Writes integers whose differences from each other are below 2^52. */
export function writeIntegers(writer: ByteWriter, values: Float64Array): void {
  const counts = new Uint8Array(widthMax + 1);
  let zeros = 0;
  for (let from = 0; from < values.length; from += groupSize) {
    const group = values.subarray(from, from + groupSize);
    if (isZero(group)) {
      zeros += 1;
      continue;
    }
    writeZeros(writer, zeros);
    zeros = 0;
    const [plain, based] = [planOf(group, 0, counts), planOf(group, middleOf(group), counts)];
    writeGroup(writer, group, based.cost < plain.cost ? based : plain);
  }
  writeZeros(writer, zeros);
}

/** The number of bytes that `writeIntegers` takes, within a few.
 *  @param triesBases false: as if no group had a base, which takes half the time */
export function costOfIntegers(values: Float64Array, triesBases: boolean): number {
  const counts = new Uint8Array(widthMax + 1);
  let cost = 0;
  for (let from = 0; from < values.length; from += groupSize) {
    const group = values.subarray(from, from + groupSize);
    if (isZero(group)) continue;
    const plain = planOf(group, 0, counts).cost;
    cost += triesBases ? Math.min(plain, planOf(group, middleOf(group), counts).cost) : plain;
  }
  return cost;
}

/** Reads integers into `values`, which says how many there are.
 *  @throws UndecodableBlock */
export function readIntegers(reader: ByteReader, values: Float64Array): void {
  for (let from = 0; from < values.length;) {
    const header = reader.uint8();
    if (header === zeroRun) {
      const groups = reader.count(Math.ceil((values.length - from) / groupSize));
      values.fill(0, from, from + groups * groupSize);
      from += groups * groupSize;
      if (groups === 0) throw reader.error("a run of no groups");
      continue;
    }
    readGroup(reader, header, values.subarray(from, from + groupSize));
    from += groupSize;
  }
}

function writeZeros(writer: ByteWriter, groups: number): void {
  if (groups === 0) return;
  writer.uint8(zeroRun);
  writer.varint(groups);
}

/** How a group is written. */
interface Plan {
  readonly base: number;
  readonly width: number;
  /** The width of the exceptions' upper bits; 0: there are no exceptions. */
  readonly upperWidth: number;
  readonly exceptions: number;
  readonly cost: number;
}

function writeGroup(writer: ByteWriter, group: Float64Array, plan: Plan): void {
  const { base, width, upperWidth, exceptions } = plan;
  writer.uint8(width | (base === 0 ? 0 : hasBase) | (exceptions === 0 ? 0 : hasExceptions));
  if (base !== 0) writer.varint(zigzag(base));
  const integers = new Float64Array(group.length);
  for (let index = 0; index < group.length; index += 1) integers[index] = zigzag((group[index] as number) - base);
  if (exceptions === 0) return writer.packed(integers, width);
  const limit = 2 ** width;
  writer.uint8(exceptions);
  writer.uint8(upperWidth);
  for (let index = 0; index < group.length; index += 1) if ((integers[index] as number) >= limit) writer.uint8(index);
  writer.packed(integers, width);
  writer.packed(
    integers.filter((integer) => integer >= limit),
    upperWidth,
    width,
  );
}

function readGroup(reader: ByteReader, header: number, group: Float64Array): void {
  const width = header & widthMask;
  if (width > widthMax) throw reader.error(`integers of ${width} bits`);
  const base = (header & hasBase) === 0 ? 0 : unzigzag(reader.varint());
  const exceptions = (header & hasExceptions) === 0 ? 0 : reader.uint8();
  const upperWidth = exceptions === 0 ? 0 : reader.uint8();
  if (exceptions > group.length || width + upperWidth > widthMax) throw reader.error(`${exceptions} exceptions`);
  const places = exceptions === 0 ? [] : Array.from({ length: exceptions }, () => reader.uint8());
  reader.packed(group, group.length, width);
  if (exceptions > 0) addUpperBits(reader, group, { places, width, upperWidth });
  if (width + upperWidth < 32) {
    for (let index = 0; index < group.length; index += 1) {
      const integer = group[index] as number;
      group[index] = base + ((integer >>> 1) ^ -(integer & 1));
    }
    return;
  }
  for (let index = 0; index < group.length; index += 1) group[index] = base + unzigzag(group[index] as number);
}

function addUpperBits(
  reader: ByteReader,
  group: Float64Array,
  {
    places,
    width,
    upperWidth,
  }: { readonly places: readonly number[]; readonly width: number; readonly upperWidth: number },
): void {
  const upper = new Float64Array(places.length);
  reader.packed(upper, places.length, upperWidth);
  places.forEach((place, index) => {
    if (place >= group.length) throw reader.error(`an exception at ${place} of ${group.length}`);
    group[place] = (group[place] as number) + (upper[index] as number) * 2 ** width;
  });
}

/** The cheapest way to write a group with a base.
 *  @param counts of use for any call: how many of the group's integers have how many bits */
function planOf(group: Float64Array, base: number, counts: Uint8Array): Plan {
  counts.fill(0);
  let most = 0;
  for (let index = 0; index < group.length; index += 1) {
    const bits = bitsOf(zigzag((group[index] as number) - base));
    counts[bits] = (counts[bits] as number) + 1;
    if (bits > most) most = bits;
  }
  let [best, bestCost, bestExceptions] = [most, Math.ceil((group.length * most) / 8), 0];
  for (let [width, exceptions] = [most - 1, 0]; width >= 0; width -= 1) {
    exceptions += counts[width + 1] as number;
    const cost = Math.ceil((group.length * width) / 8) + Math.ceil((exceptions * (most - width)) / 8) + 2 + exceptions;
    if (cost < bestCost) [best, bestCost, bestExceptions] = [width, cost, exceptions];
  }
  const baseCost = base === 0 ? 0 : 1 + Math.floor(bitsOf(zigzag(base)) / 7);
  const upperWidth = bestExceptions === 0 ? 0 : most - best;
  return { base, width: best, upperWidth, exceptions: bestExceptions, cost: 1 + baseCost + bestCost };
}

function isZero(group: Float64Array): boolean {
  for (let index = 0; index < group.length; index += 1) if (group[index] !== 0) return false;
  return true;
}

/** The middle between the least and the greatest value. */
function middleOf(group: Float64Array): number {
  let [least, greatest] = [Infinity, -Infinity];
  for (let index = 0; index < group.length; index += 1) {
    const value = group[index] as number;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return least + Math.floor((greatest - least) / 2);
}

/** Small numbers of either sign as small natural numbers. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : value * -2 - 1;
}

function unzigzag(integer: number): number {
  return integer % 2 === 0 ? integer / 2 : -(integer + 1) / 2;
}

/** The number of bits of a natural number below 2^53. */
function bitsOf(integer: number): number {
  return integer < 2 ** 31 ? 32 - Math.clz32(integer) : 64 - Math.clz32(Math.floor(integer / 2 ** 32));
}
