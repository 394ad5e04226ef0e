import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { periodOf, readPeriod } from "./period.ts";

// Which records of a block have a value of a series: the number of runs (varint), then the length of each run (varint), in turn of
// records with a value and of records without, beginning with the former. If a bit for each record takes less: the number 0, then
// these bits.
//
// A metric that every fourth record has would have very many runs: its presence is repeated. Then a byte with that period comes first,
// and the runs are in turn of records of which it is different from that of the record a period before, and of records of which it is the
// same. Before the first record, no record has a value.

/** Which of some records have a value. */
export interface Presence {
  /** 1: the record has a value; 0: it has none. */
  readonly bits: Uint8Array;
  readonly present: number;
  /** 0: the presence is not repeated. */
  readonly period: number;
  /** The runs, unless bits take less. */
  readonly runs: readonly number[] | undefined;
}

/** So few runs are worth no search for a period. */
const fewChanges = 8;

/** The presence of the last columns: those of a block often have the same. */
const recent: Presence[] = [];
const recentMax = 4;

/** Finds which records have a value.
 *  @param values NaN: the record has none
 *  @returns undefined if all have one */
export function presenceOf(values: Float64Array): Presence | undefined {
  if (isWhole(values)) return undefined;
  const bits = new Uint8Array(values.length);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    bits[index] = value === value ? 1 : 0;
  }
  for (const presence of recent) if (isSame(presence.bits, bits)) return presence;
  const presence = searched(bits);
  if (recent.length === recentMax) recent.shift();
  recent.push(presence);
  return presence;
}

function isWhole(values: Float64Array): boolean {
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    if (value !== value) return false;
  }
  return true;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** Finds the shortest way to write the presence. */
function searched(bits: Uint8Array): Presence {
  let present = 0;
  let last = 1;
  let changes = 0;
  for (let index = 0; index < bits.length; index += 1) {
    const bit = bits[index] as number;
    present += bit;
    changes += bit ^ last;
    last = bit;
  }
  const limit = bits.length / 8;
  const period = changes < fewChanges ? 0 : periodOf(bits, Math.min(changes, limit) / 2);
  const runs = period === 0 && changes > limit ? undefined : runsOf(bits, period);
  if (runs === undefined || costOf(runs) > limit) return { bits, present, period: 0, runs: undefined };
  return { bits, present, period, runs };
}

/** Writes the presence without saying whether it is repeated. */
export function writePresence(writer: ByteWriter, { bits, period, runs }: Presence): void {
  if (period > 0) writer.uint8(period);
  if (runs !== undefined && runs.length > 0) {
    writer.varint(runs.length);
    for (const run of runs) writer.varint(run);
    return;
  }
  writer.varint(0);
  writer.packed(bits, bits.length, 1);
}

/** @param isRepeated whether it is repeated
 *  @returns 1 for each record that has a value, otherwise 0
 *  @throws UndecodableBlock */
export function readPresence(reader: ByteReader, count: number, isRepeated: boolean): Uint8Array {
  const period = isRepeated ? readPeriod(reader) : 0;
  const bits = readRuns(reader, count);
  for (let index = period; isRepeated && index < count; index += 1) {
    bits[index] = (bits[index] as number) ^ (bits[index - period] as number);
  }
  return bits;
}

function readRuns(reader: ByteReader, count: number): Uint8Array {
  const bits = new Uint8Array(count);
  const runs = reader.count(count + 1);
  if (runs === 0) {
    reader.bits(bits);
    return bits;
  }
  let at = 0;
  for (let run = 0; run < runs; run += 1) {
    const end = at + reader.count(count - at);
    if (run % 2 === 0) bits.fill(1, at, end);
    at = end;
  }
  if (at !== count) throw reader.error(`presence of ${at} of ${count} records`);
  return bits;
}

/** The runs of bits that differ from those a period before, and of bits that do not; 0: the runs of ones and zeros. */
function runsOf(bits: Uint8Array, period: number): number[] {
  const runs: number[] = [];
  let last = 1;
  let begin = 0;
  for (let index = 0; index < bits.length; index += 1) {
    const before = period > 0 && index >= period ? (bits[index - period] as number) : 0;
    const bit = (bits[index] as number) ^ before;
    if (bit === last) continue;
    runs.push(index - begin);
    last = bit;
    begin = index;
  }
  if (bits.length > begin) runs.push(bits.length - begin);
  return runs;
}

function costOf(runs: readonly number[]): number {
  let cost = 0;
  for (const run of runs) cost += run < 128 ? 1 : run < 16_384 ? 2 : 3;
  return cost;
}
