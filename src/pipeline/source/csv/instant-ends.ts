import { comma, lineFeed } from "./bytes.ts";
import type { FileWindow } from "./file-window.ts";

/** An instant that takes more bytes is cut like any other rows. */
export const instantMaxBytes = 64 * 1024 * 1024;

/** A timestamp is shorter, quotes included. */
const fieldMaxBytes = 64;

/** Finds where the instant changes in a file whose first column is the timestamp, by that column's bytes alone: whoever
 *  reads the file, in whatever pieces, finds the same places. */
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
    // a copy: it is compared after the window has moved, too
    this.field = Buffer.from(cells.subarray(0, isOneRow ? end : 0));
  }

  /** True where the row there is of the instant that was noted; undefined where too few of its bytes are in memory. */
  continuesAt(rowOffset: number): boolean | undefined {
    const { bytes, offset, atEnd } = this.window;
    const start = rowOffset - offset;
    if (this.field.length === 0) return false;
    if (start + this.field.length > bytes.length) return atEnd ? false : undefined;
    return this.field.equals(bytes.subarray(start, start + this.field.length));
  }
}
