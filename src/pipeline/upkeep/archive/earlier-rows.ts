import type { ArchiveRow } from "./archive-format.ts";
import type { ParquetRow } from "./parquet-file-rows.ts";

/** Where a record is in a file: the files are in this order. */
export interface RecordKey {
  readonly uuid: string;
  readonly timeMs: number;
}

interface EarlierRow extends RecordKey {
  readonly row: ArchiveRow;
}

/** The order of the records of a file. */
export function byKey(a: RecordKey, b: RecordKey): number {
  return a.uuid === b.uuid ? a.timeMs - b.timeMs : a.uuid < b.uuid ? -1 : 1;
}

/** The rows of the file that an hour has had before, in their order: the store may have deleted their records. */
export class EarlierRows {
  private part: readonly ParquetRow[] = [];
  private at = 0;
  private head: EarlierRow | undefined;

  private constructor(private readonly parts: AsyncGenerator<readonly ParquetRow[], void>) {}

  static async open(parts: AsyncGenerator<readonly ParquetRow[], void>): Promise<EarlierRows> {
    const rows = new EarlierRows(parts);
    await rows.advance();
    return rows;
  }

  /** The next row before a place; undefined if there is none. @param key undefined: the end */
  async nextBefore(key: RecordKey | undefined): Promise<ArchiveRow | undefined> {
    const { head } = this;
    if (head === undefined || (key !== undefined && byKey(head, key) >= 0)) return undefined;
    await this.advance();
    return head.row;
  }

  /** The row at a place, which is then passed; undefined if there is none. */
  async takeAt(key: RecordKey): Promise<ArchiveRow | undefined> {
    const { head } = this;
    if (head === undefined || byKey(head, key) !== 0) return undefined;
    await this.advance();
    return head.row;
  }

  /** Ends the reading. */
  async close(): Promise<void> {
    await this.parts.return();
  }

  private async advance(): Promise<void> {
    while (this.at >= this.part.length) {
      const next = await this.parts.next();
      if (next.done === true) return void (this.head = undefined);
      [this.part, this.at] = [next.value, 0];
    }
    this.head = earlierRow(this.part[this.at] as ParquetRow);
    this.at += 1;
  }
}

/** A row as it was written. */
function earlierRow(row: ParquetRow): EarlierRow {
  const written: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row)) {
    written[name] = value instanceof Date ? value.toISOString() : value;
  }
  return { uuid: String(row["uuid"]), timeMs: Date.parse(String(written["timestamp"])), row: written };
}
