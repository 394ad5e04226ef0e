import type { TakeColumn } from "../../../../domain/block/number-column.ts";
import type { EntriesAdded } from "../../../../domain/rollup/exact-sums.ts";

// A question about a month reads some ten thousand rows of rollups. To make arrays for each of them takes as long as to decode it.

/** Arrays that are used again for each row. */
export class ReusedColumns {
  private readonly columns: Float64Array[] = [];
  private counted = new Int32Array(0);

  /** From now on, the arrays that were given before are given again. */
  begin(): TakeColumn {
    let next = 0;
    return (length) => {
      let column = this.columns[next];
      if (column === undefined || column.length < length) column = this.columns[next] = new Float64Array(length);
      next += 1;
      return column.length === length ? column : column.subarray(0, length);
    };
  }

  /** The indexes of so many elements, and maybe of more. */
  indexes(length: number): Int32Array {
    if (this.counted.length < length) this.counted = Int32Array.from({ length }, (_, index) => index);
    return this.counted;
  }
}

/** The entries of a row that count, and their cells. */
export class EntriesOfRow implements EntriesAdded {
  entries = new Int32Array(1024);
  cells = new Int32Array(1024);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  add(entry: number, cell: number): void {
    if (this.length === this.entries.length) {
      this.entries = twiceAsLong(this.entries);
      this.cells = twiceAsLong(this.cells);
    }
    this.entries[this.length] = entry;
    this.cells[this.length] = cell;
    this.length += 1;
  }
}

function twiceAsLong(column: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(column.length * 2);
  longer.set(column);
  return longer;
}
