import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

// Doubles that are not decimal numbers of few digits. Neighbours often share their sign, exponent and first digits, so that bytes of
// the exclusive or of two neighbours are zero. In groups of 64: a header with a bit for each of the eight bytes that is not zero
// in all of the group, then those bytes of each double.

const groupSize = 64;

/** Writes doubles of any kind, to the bit. */
export function writeDoubles(writer: ByteWriter, values: Float64Array): void {
  const bytes = bigEndianOf(values);
  for (let at = bytes.length - 1; at >= 8; at -= 1) bytes[at] = (bytes[at] as number) ^ (bytes[at - 8] as number);
  for (let from = 0; from < bytes.length; from += groupSize * 8) {
    const group = bytes.subarray(from, from + groupSize * 8);
    let used = 0;
    group.forEach((byte, index) => {
      if (byte !== 0) used |= 1 << (index % 8);
    });
    writer.uint8(used);
    group.forEach((byte, index) => {
      if ((used & (1 << (index % 8))) !== 0) writer.uint8(byte);
    });
  }
}

/** Reads doubles into `values`, which says how many there are.
 *  @throws UndecodableBlock */
export function readDoubles(reader: ByteReader, values: Float64Array): void {
  const bytes = new Uint8Array(values.length * 8);
  for (let from = 0; from < bytes.length; from += groupSize * 8) {
    const used = reader.uint8();
    const end = Math.min(bytes.length, from + groupSize * 8);
    for (let at = from; at < end; at += 1) if ((used & (1 << (at % 8))) !== 0) bytes[at] = reader.uint8();
  }
  for (let at = 8; at < bytes.length; at += 1) bytes[at] = (bytes[at] as number) ^ (bytes[at - 8] as number);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < values.length; index += 1) values[index] = view.getFloat64(index * 8);
}

function bigEndianOf(values: Float64Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach((value, index) => view.setFloat64(index * 8, value));
  return new Uint8Array(view.buffer);
}
