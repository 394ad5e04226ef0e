import { UndecodableBlock } from "../errors.ts";

/** Joins columns: each with its length (4 bytes) before it. */
export function joinColumns(columns: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(columns.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const column of columns) {
    view.setUint32(at, column.length);
    bytes.set(column, at + 4);
    at += 4 + column.length;
  }
  return bytes;
}

/** Splits what `joinColumns` has joined. @throws UndecodableBlock if there are not `count` columns */
export function splitColumns(bytes: Uint8Array, count: number): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const columns: Uint8Array[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const end = at + 4 + view.getUint32(at);
    columns.push(bytes.subarray(at + 4, end));
    at = end;
  }
  if (columns.length !== count) throw new UndecodableBlock(`it has ${columns.length} columns`);
  return columns;
}
