import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { decodePart } from "./named-part.ts";
import { decodeNumbers, encodeNumbers } from "./number-column.ts";

// Series by their names: their number (varint); for each the length of its name in bytes (varint), the name (UTF-8), the length of its
// column (varint), and the column (number-column.ts). Sorted by name.

/** The greatest number of values of all series of a block, 128 MiB: it limits the memory that damaged bytes can take. */
export const seriesValuesMax = 2 ** 24;

/** @returns undefined if there are no series */
export function encodeSeries(series: ReadonlyMap<string, Float64Array>): Uint8Array | undefined {
  if (series.size === 0) return undefined;
  const writer = new ByteWriter();
  writer.varint(series.size);
  const encoder = new TextEncoder();
  for (const [name, values] of [...series].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const bytes of [encoder.encode(name), encodeNumbers(values)]) {
      writer.varint(bytes.length);
      writer.bytesOf(bytes);
    }
  }
  return writer.written();
}

/** @param count the number of records
 *  @throws UndecodableBlock */
export function decodeSeries(bytes: Uint8Array, count: number): Map<string, Float64Array> {
  const reader = new ByteReader(bytes);
  // a name may begin with U+FEFF
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const series = new Map<string, Float64Array>();
  for (let left = reader.count(seriesValuesMax / Math.max(1, count)); left > 0; left -= 1) {
    const name = decoder.decode(reader.bytesOf(reader.count(bytes.length)));
    if (series.has(name)) throw reader.error("a series occurs twice");
    const column = reader.bytesOf(reader.count(bytes.length));
    series.set(
      name,
      decodePart(
        () => `series ${JSON.stringify(name)}`,
        () => decodeNumbers(column, count),
      ),
    );
  }
  if (!reader.isAtEnd) throw reader.error("bytes are left over");
  return series;
}
