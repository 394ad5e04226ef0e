/** The packed columns that a row has, by their names: those that are not NULL. */
export function packedColumns(row: object, names: readonly string[]): Map<string, Uint8Array> {
  const columns = row as Readonly<Record<string, Uint8Array | null>>;
  const packed = new Map<string, Uint8Array>();
  for (const name of names) {
    const column = columns[name];
    if (column !== null && column !== undefined) packed.set(name, column);
  }
  return packed;
}
