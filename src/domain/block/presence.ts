import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

// Which records of a block have a value of a series: the number of runs (varint), then the length of each run (varint), in turn of
// records with a value and of records without, beginning with the former. If a bit for each record takes less: the number 0, then
// these bits.

/** @param values NaN: the record has none */
export function writePresence(writer: ByteWriter, values: Float64Array): void {
  const runs = runsOf(values);
  const runsCost = runs.reduce((cost, run) => cost + (run < 128 ? 1 : run < 16_384 ? 2 : 3), 0);
  if (runs.length > 0 && runsCost <= values.length / 8) {
    writer.varint(runs.length);
    for (const run of runs) writer.varint(run);
    return;
  }
  writer.varint(0);
  const bits = new Uint8Array(values.length);
  values.forEach((value, index) => (bits[index] = Number.isNaN(value) ? 0 : 1));
  writer.packed(bits, 1);
}

/** @returns the places of the records that have a value
 *  @throws UndecodableBlock */
export function readPresence(reader: ByteReader, count: number): Uint32Array {
  const runs = reader.count(count + 1);
  const places = new Uint32Array(count);
  let [at, found] = [0, 0];
  if (runs === 0) {
    const bits = new Float64Array(count);
    reader.packed(bits, { from: 0, to: count, width: 1 });
    for (; at < count; at += 1) if (bits[at] === 1) places[found++] = at;
    return places.subarray(0, found);
  }
  for (let run = 0; run < runs; run += 1) {
    const end = at + reader.count(count - at);
    if (run % 2 === 0) for (; at < end; at += 1) places[found++] = at;
    at = end;
  }
  if (at !== count) throw reader.error(`presence of ${at} of ${count} records`);
  return places.subarray(0, found);
}

function runsOf(values: Float64Array): number[] {
  const runs: number[] = [];
  let [isPresent, begin] = [true, 0];
  for (let index = 0; index < values.length; index += 1) {
    if (Number.isNaN(values[index]) !== isPresent) continue;
    runs.push(index - begin);
    [isPresent, begin] = [!isPresent, index];
  }
  if (values.length > begin) runs.push(values.length - begin);
  return runs;
}
