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

/** How integers are written: of each group the base, the width, the number of exceptions and the width of their upper bits. A plan is used
 *  for one column after another: objects for the groups would take longer than the search. */
export class IntegersPlan {
  values = new Float64Array(0);
  /** How many of the values count. */
  count = 0;
  /** In bytes, within a few. */
  cost = 0;
  readonly bases: number[] = [];
  readonly widths: number[] = [];
  readonly exceptions: number[] = [];
  readonly upperWidths: number[] = [];

  /** Finds the cheapest way to write integers whose differences from each other are below 2^52.
   *  @param count how many of the values count
   *  @param triesBases false: no group has a base, which takes half the time */
  find(values: Float64Array<ArrayBuffer>, count: number, triesBases: boolean): void {
    this.values = values;
    this.count = count;
    this.cost = 0;
    for (let group = 0, from = 0; from < count; group += 1, from += groupSize) {
      this.cost += planGroup(values, { from, to: Math.min(count, from + groupSize) }, triesBases);
      this.bases[group] = best.base;
      this.widths[group] = best.width;
      this.exceptions[group] = best.exceptions;
      this.upperWidths[group] = best.upperWidth;
    }
  }

  /** True: all of the group are zero. */
  isZero(group: number): boolean {
    return this.widths[group] === 0 && this.bases[group] === 0 && this.exceptions[group] === 0;
  }
}

/** Writes the integers of a plan. */
export function writeIntegers(writer: ByteWriter, plan: IntegersPlan): void {
  let zeros = 0;
  for (let group = 0; group * groupSize < plan.count; group += 1) {
    if (plan.isZero(group)) {
      zeros += 1;
      continue;
    }
    writeZeros(writer, zeros);
    zeros = 0;
    writeGroup(writer, plan, group);
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
    const to = Math.min(values.length, from + groupSize);
    readGroup(reader, header, { values, from, to, offset });
    from = to;
  }
}

function writeZeros(writer: ByteWriter, groups: number): void {
  if (groups === 0) return;
  writer.uint8(zeroRun);
  writer.varint(groups);
}

/** The integers of the group that is written; of use until the next one. */
const written = new Float64Array(groupSize);

function writeGroup(writer: ByteWriter, plan: IntegersPlan, group: number): void {
  const { values } = plan;
  const from = group * groupSize;
  const length = Math.min(plan.count - from, groupSize);
  const base = plan.bases[group] as number;
  const width = plan.widths[group] as number;
  const exceptions = plan.exceptions[group] as number;
  const upperWidth = plan.upperWidths[group] as number;
  writer.uint8(width | (base === 0 ? 0 : hasBase) | (exceptions === 0 ? 0 : hasExceptions));
  if (base !== 0) writer.varint(zigzag(base));
  for (let index = 0; index < length; index += 1) written[index] = zigzag((values[from + index] as number) - base);
  if (exceptions > 0) {
    const limit = 2 ** width;
    writer.uint8(exceptions);
    writer.uint8(upperWidth);
    let found = 0;
    for (let index = 0; index < length; index += 1) {
      const integer = written[index] as number;
      if (integer < limit) continue;
      writer.uint8(index);
      upper[found++] = Math.floor(integer / limit);
    }
  }
  writer.packed(written, length, width);
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
  reader.copyTo(places, exceptions);
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

/** The places of a group's exceptions; of use until the next group. */
const places = new Uint8Array(groupSize);
/** The upper bits of a group's exceptions; of use until the next group. */
const upper = new Float64Array(groupSize);

/** The places of a group. */
interface Group {
  readonly from: number;
  readonly to: number;
}

/** How a group is written; of use until the next group. */
const best = { base: 0, width: 0, exceptions: 0, upperWidth: 0, cost: 0 };

/** Finds the cheapest way to write a group, which is then in `best`. @returns its cost: 0 if all of the group are zero */
function planGroup(values: Float64Array, group: Group, triesBases: boolean): number {
  let least = values[group.from] as number;
  let greatest = least;
  for (let index = group.from + 1; index < group.to; index += 1) {
    const value = values[index] as number;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  best.base = best.width = best.exceptions = best.upperWidth = best.cost = 0;
  if (least === 0 && greatest === 0) return 0;
  best.cost = Infinity;
  const isNarrow = least > -narrowMax && greatest < narrowMax;
  const most = countBits(values, group, { base: 0, isNarrow });
  planOf(most, group.to - group.from, 0);
  const base = least + Math.floor((greatest - least) / 2);
  // a base in the middle of values on both sides of 0 that saves them no bit is of no use
  if (!triesBases || base === 0 || bitsOf(zigzag(greatest - base)) >= most) return best.cost;
  planOf(countBits(values, group, { base, isNarrow }), group.to - group.from, base);
  return best.cost;
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

/** Makes the cheapest way to write the group that was counted the best, if it is cheaper.
 *  @param most the greatest number of bits */
function planOf(most: number, length: number, base: number): void {
  const baseCost = 1 + (base === 0 ? 0 : 1 + Math.floor(bitsOf(zigzag(base)) / 7));
  let width = most;
  let cost = (length * most + 7) >> 3;
  let exceptions = 0;
  let more = 0;
  for (let narrower = most - 1; narrower >= 0; narrower -= 1) {
    more += counts[narrower + 1] as number;
    // with more exceptions, a narrower group is never cheaper
    if (more + 2 >= cost) break;
    const ofWidth = ((length * narrower + 7) >> 3) + ((more * (most - narrower) + 7) >> 3) + 2 + more;
    if (ofWidth >= cost) continue;
    cost = ofWidth;
    width = narrower;
    exceptions = more;
  }
  if (cost + baseCost >= best.cost) return;
  best.base = base;
  best.width = width;
  best.exceptions = exceptions;
  best.upperWidth = exceptions === 0 ? 0 : most - width;
  best.cost = cost + baseCost;
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
