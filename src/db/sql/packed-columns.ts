/** The packed columns that a row has, by their names: those that are not NULL. */
export function packedColumns(row: object, names: readonly string[]): Map<string, Uint8Array> {
  const columns = row as Readonly<Record<string, Uint8Array | null>>;
  return new Map(
    names.flatMap((name): [string, Uint8Array][] => {
      const column = columns[name];
      return column === null || column === undefined ? [] : [[name, column]];
    }),
  );
}
