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

/** How integers are written. */
export interface IntegersPlan {
  /** In bytes, within a few. */
  readonly cost: number;
  /** Undefined: all of the group are zero. */
  readonly groups: readonly (GroupPlan | undefined)[];
}

/** Finds the cheapest way to write integers whose differences from each other are below 2^52.
 *  @param triesBases false: no group has a base, which takes half the time */
export function planIntegers(values: Float64Array, triesBases: boolean): IntegersPlan {
  const groups: (GroupPlan | undefined)[] = [];
  let cost = 0;
  for (let from = 0; from < values.length; from += groupSize) {
    const plan = planGroup(values, { from, to: Math.min(values.length, from + groupSize) }, triesBases);
    groups.push(plan);
    if (plan !== undefined) cost += plan.cost;
  }
  return { cost, groups };
}

/** Writes integers. @param plan is of these integers */
export function writeIntegers(writer: ByteWriter, values: Float64Array, { groups }: IntegersPlan): void {
  let zeros = 0;
  for (let from = 0; from < values.length; from += groupSize) {
    const plan = groups[from / groupSize];
    if (plan === undefined) {
      zeros += 1;
      continue;
    }
    writeZeros(writer, zeros);
    zeros = 0;
    writeGroup(writer, values, { ...plan, from, to: Math.min(values.length, from + groupSize) });
  }
  writeZeros(writer, zeros);
}

/** Reads integers into `values`, which says how many there are.
 *  @param offset is added to each
 *  @throws UndecodableBlock */
export function readIntegers(reader: ByteReader, values: Float64Array, offset: number): void {
  for (let from = 0; from < values.length;) {
    const header = reader.uint8();
    if (header === zeroRun) {
      const groups = reader.count(Math.ceil((values.length - from) / groupSize));
      values.fill(offset, from, from + groups * groupSize);
      from += groups * groupSize;
      if (groups === 0) throw reader.error("a run of no groups");
      continue;
    }
    const group = { from, to: Math.min(values.length, from + groupSize), offset };
    readGroup(reader, header, { values, ...group });
    from = group.to;
  }
}

function writeZeros(writer: ByteWriter, groups: number): void {
  if (groups === 0) return;
  writer.uint8(zeroRun);
  writer.varint(groups);
}

/** How a group is written. */
interface GroupPlan {
  readonly base: number;
  readonly width: number;
  /** The width of the exceptions' upper bits; 0: there are no exceptions. */
  readonly upperWidth: number;
  readonly exceptions: number;
  readonly cost: number;
}

/** The integers of the group that is written; of use until the next one. */
const written = new Float64Array(groupSize);

function writeGroup(
  writer: ByteWriter,
  values: Float64Array,
  { from, to, base, width, upperWidth, exceptions }: GroupPlan & Group,
): void {
  writer.uint8(width | (base === 0 ? 0 : hasBase) | (exceptions === 0 ? 0 : hasExceptions));
  if (base !== 0) writer.varint(zigzag(base));
  for (let index = from; index < to; index += 1) written[index - from] = zigzag((values[index] as number) - base);
  if (exceptions > 0) {
    const limit = 2 ** width;
    writer.uint8(exceptions);
    writer.uint8(upperWidth);
    let found = 0;
    for (let index = 0; index < to - from; index += 1) {
      const integer = written[index] as number;
      if (integer < limit) continue;
      writer.uint8(index);
      upper[found++] = Math.floor(integer / limit);
    }
  }
  writer.packed(written, to - from, width);
  writer.packed(upper, exceptions, upperWidth);
}

/** A group that is read. It is no array of its own: to make one takes as long as to read ten integers. */
interface GroupRead extends Group {
  readonly values: Float64Array;
  readonly offset: number;
}

function readGroup(reader: ByteReader, header: number, group: GroupRead): void {
  const { values, from, to } = group;
  const width = header & widthMask;
  if (width > widthMax) throw reader.error(`integers of ${width} bits`);
  const base = (header & hasBase) === 0 ? 0 : unzigzag(reader.varint());
  const exceptions = (header & hasExceptions) === 0 ? 0 : reader.uint8();
  const upperWidth = exceptions === 0 ? 0 : reader.uint8();
  if (exceptions > to - from || width + upperWidth > widthMax) throw reader.error(`${exceptions} exceptions`);
  const places = exceptions === 0 ? noBytes : reader.bytesOf(exceptions);
  const offset = base + group.offset;
  reader.packedZigzag(values, { from, to, width, offset });
  if (exceptions === 0) return;
  const unit = 2 ** width;
  reader.packed(upper, { from: 0, to: exceptions, width: upperWidth });
  for (let index = 0; index < exceptions; index += 1) {
    const at = from + (places[index] as number);
    if (at >= to) throw reader.error(`an exception at ${at - from} of ${to - from}`);
    values[at] = offset + unzigzag(zigzag((values[at] as number) - offset) + (upper[index] as number) * unit);
  }
}

const noBytes = new Uint8Array();
/** The upper bits of a group's exceptions; of use until the next group. */
const upper = new Float64Array(groupSize);

/** The places of a group. */
interface Group {
  readonly from: number;
  readonly to: number;
}

/** @returns undefined if all of the group are zero */
function planGroup(values: Float64Array, group: Group, triesBases: boolean): GroupPlan | undefined {
  let [least, greatest] = [Infinity, -Infinity];
  for (let index = group.from; index < group.to; index += 1) {
    const value = values[index] as number;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  if (least === 0 && greatest === 0) return undefined;
  const isNarrow = least > -narrowMax && greatest < narrowMax;
  const plain = planOf(countBits(values, group, { base: 0, isNarrow }), group.to - group.from, 0);
  const base = least + Math.floor((greatest - least) / 2);
  if (!triesBases || base === 0) return plain;
  const based = planOf(countBits(values, group, { base, isNarrow }), group.to - group.from, base);
  return based.cost < plain.cost ? based : plain;
}

/** Integers below it, and their differences from each other, are counted in 32 bits, which takes a third of the time. */
const narrowMax = 2 ** 29;
/** How many integers of a group have how many bits; of use until the next group. */
const counts = new Uint8Array(widthMax + 1);

/** Counts the integers of a group, less the base, by their bits in `counts`. @returns the greatest number of bits */
function countBits(
  values: Float64Array,
  { from, to }: Group,
  { base, isNarrow }: { readonly base: number; readonly isNarrow: boolean },
): number {
  counts.fill(0);
  let most = 0;
  if (isNarrow) {
    for (let index = from; index < to; index += 1) {
      const integer = ((values[index] as number) - base) | 0;
      const bits = 32 - Math.clz32((integer << 1) ^ (integer >> 31));
      counts[bits] = (counts[bits] as number) + 1;
      if (bits > most) most = bits;
    }
    return most;
  }
  for (let index = from; index < to; index += 1) {
    const bits = bitsOf(zigzag((values[index] as number) - base));
    counts[bits] = (counts[bits] as number) + 1;
    if (bits > most) most = bits;
  }
  return most;
}

/** The cheapest way to write the group that was counted.
 *  @param most the greatest number of bits */
function planOf(most: number, length: number, base: number): GroupPlan {
  let [best, bestCost, bestExceptions] = [most, Math.ceil((length * most) / 8), 0];
  for (let [width, exceptions] = [most - 1, 0]; width >= 0; width -= 1) {
    exceptions += counts[width + 1] as number;
    // with more exceptions, a narrower group is never cheaper
    if (exceptions + 2 >= bestCost) break;
    const cost = ((length * width + 7) >> 3) + ((exceptions * (most - width) + 7) >> 3) + 2 + exceptions;
    if (cost < bestCost) [best, bestCost, bestExceptions] = [width, cost, exceptions];
  }
  const baseCost = base === 0 ? 0 : 1 + Math.floor(bitsOf(zigzag(base)) / 7);
  const upperWidth = bestExceptions === 0 ? 0 : most - best;
  return { base, width: best, upperWidth, exceptions: bestExceptions, cost: 1 + baseCost + bestCost };
}

/** Small numbers of either sign as small natural numbers. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : value * -2 - 1;
}

function unzigzag(integer: number): number {
  if (integer < 2 ** 31) return (integer >>> 1) ^ -(integer & 1);
  return integer % 2 === 0 ? integer / 2 : -(integer + 1) / 2;
}

/** The number of bits of a natural number below 2^53. */
function bitsOf(integer: number): number {
  return integer < 2 ** 31 ? 32 - Math.clz32(integer) : 64 - Math.clz32(Math.floor(integer / 2 ** 32));
}
