import { comma, lineFeed } from "../bytes/characters.ts";
import type { FileWindow } from "./file-window.ts";

/** A batch continues to the end of its last instant only up to this size; the next batch begins with the remaining rows. */
export const instantMaxBytes = 64 * 1024 * 1024;

/** The maximum length of a timestamp that is compared, including its quotes and the comma after it. A longer timestamp never
 *  continues a batch. */
const fieldMaxBytes = 64;

/** Finds where the instant changes in a file whose first column is the timestamp. It compares only the bytes of that column,
 *  so every reader finds the same places, however the file is divided. */
export class InstantEnds {
  private field: Buffer = Buffer.alloc(0);

  constructor(private readonly window: FileWindow) {}

  /** Remembers the instant of a row that is in memory. */
  remember(rowOffset: number): void {
    const { bytes, offset } = this.window;
    const start = rowOffset - offset;
    const cells = bytes.subarray(start, start + fieldMaxBytes);
    const end = cells.indexOf(comma) + 1;
    const isOneRow = !cells.subarray(0, end).includes(lineFeed);
    // copied, because it is still compared after the window has moved
    this.field = Buffer.from(cells.subarray(0, isOneRow ? end : 0));
  }

  /** True if the row at `rowOffset` is of the remembered instant; undefined if too few of its bytes are in memory. */
  continuesAt(rowOffset: number): boolean | undefined {
    const { bytes, offset, atEnd } = this.window;
    const start = rowOffset - offset;
    if (this.field.length === 0) return false;
    if (start + this.field.length > bytes.length) return atEnd ? false : undefined;
    return this.field.equals(bytes.subarray(start, start + this.field.length));
  }
}
