/** The most rows that are joined at a time: their sizes about double from one to the next. */
export const joinedMax = 10;

/** A row of an hour, as far as joining needs it. */
export interface RowToJoin {
  /** The least key of its GPUs. */
  readonly firstKey: number;
  /** The number of its entries. */
  readonly size: number;
}

/** The first key of the rows that are to be joined with a new one: those before it, as long as none is larger than what follows it.
 *  @param before the rows before the new one, the nearest first
 *  @param sizeMax the most entries of a row
 *  @returns the key of the new row if none is to be joined */
export function firstToJoin(before: readonly RowToJoin[], added: RowToJoin, sizeMax: number): number {
  let { firstKey, size } = added;
  for (const row of before) {
    if (row.size > size || size + row.size > sizeMax) break;
    size += row.size;
    firstKey = row.firstKey;
  }
  return firstKey;
}
