import { comma, lineFeed } from "../bytes/characters.ts";
import type { FileWindow } from "./file-window.ts";
import { instantOfCell } from "./scrape-spread.ts";

/** A batch continues to the end of its last instant only up to this size; the next batch begins with the remaining rows. */
export const instantMaxBytes = 64 * 1024 * 1024;

/** The maximum length of a timestamp that is compared, including its quotes and the comma after it. A longer timestamp never
 *  continues a batch. */
const fieldMaxBytes = 64;

/** Finds where the instant changes in a file whose first column is the timestamp, or, if the instants of a scrape are spread over some
 *  time, where the next scrape begins. It compares only the bytes of that column in two neighbouring rows, so every reader finds
 *  the same places, however the file is divided. */
export class InstantEnds {
  private field: Buffer = Buffer.alloc(0);
  private timeMs = NaN;

  /** @param spreadMs a row whose instant is at most this much later continues the scrape, and so does one whose instant is earlier;
   *    0: only rows of the same instant stay together */
  constructor(
    private readonly window: FileWindow,
    readonly spreadMs: number,
  ) {}

  /** Remembers the instant of a row that is in memory. */
  remember(rowOffset: number): void {
    const field = this.fieldAt(rowOffset);
    if (field.equals(this.field)) return;
    // copied, because it is still compared after the window has moved
    this.field = Buffer.from(field);
    if (this.spreadMs > 0) this.timeMs = instantOfCell(this.field.subarray(0, -1));
  }

  /** True if the row at `rowOffset` continues the remembered instant or its scrape; undefined if too few of its bytes are in
   *  memory. */
  continuesAt(rowOffset: number): boolean | undefined {
    const { bytes, atEnd } = this.window;
    const start = this.window.indexOf(rowOffset);
    if (this.field.length === 0) return false;
    const needed = this.spreadMs > 0 ? fieldMaxBytes : this.field.length;
    if (start + needed > bytes.length && !atEnd) return undefined;
    if (this.field.equals(bytes.subarray(start, start + this.field.length))) return true;
    return this.spreadMs > 0 && instantOfCell(this.fieldAt(rowOffset).subarray(0, -1)) - this.timeMs <= this.spreadMs;
  }

  /** @returns the first cell with its comma; empty if it is too long or the row has only one cell */
  private fieldAt(rowOffset: number): Buffer {
    const { bytes } = this.window;
    const start = this.window.indexOf(rowOffset);
    const cells = bytes.subarray(start, start + fieldMaxBytes);
    const end = cells.indexOf(comma) + 1;
    const isOneRow = !cells.subarray(0, end).includes(lineFeed);
    return cells.subarray(0, isOneRow ? end : 0);
  }
}
