import type { Position } from "../../../domain/range.ts";
import { comma, lineFeed, quote } from "./bytes.ts";
import type { FileWindow } from "./file-window.ts";
import { InstantEnds, instantMaxBytes } from "./instant-ends.ts";
import { RecordSplitter } from "./record-splitter.ts";

/** The file, and the rules for its rows. */
export interface RowEndsOptions {
  /** Begins at `from`. */
  readonly window: FileWindow;
  readonly from: Position;
  /** Columns of the header. */
  readonly columnCount: number;
  readonly recordMaxBytes: number;
  /** True if the first column is the timestamp and the rows of an instant stay together. */
  readonly keepsInstants: boolean;
}

/** Finds where rows end, by the same rules as reading them: never inside quotes, nor inside a row that is too large.
 *
 *  Lines that are whole rows are passed in one loop over their bytes, at some 1,500 MB/s; the splitter, at 700 MB/s, judges
 *  every other line. */
export class RowEnds {
  private readonly splitter: RecordSplitter;
  private at: Position;
  /** Inside a row that is too large: it ends with its line. */
  private isSkipping = false;
  private readonly instants: InstantEnds;
  private lastRowOffset = NaN;

  constructor(private readonly options: RowEndsOptions) {
    this.instants = new InstantEnds(options.window);
    this.splitter = new RecordSplitter(options.columnCount, options.recordMaxBytes);
    this.at = options.from;
  }

  /** The first end of a row at or after `offset`; if instants stay together, the end of the last row of that row's instant;
   *  the end of the file at the latest. Any earlier position if the signal aborts. */
  async next(offset: number, signal: AbortSignal): Promise<Position> {
    await this.passTo(offset, signal);
    const limit = offset + instantMaxBytes;
    while (this.mayContinue(limit) && !signal.aborted) {
      if (this.lastRowOffset >= this.options.window.offset) this.instants.remember(this.lastRowOffset);
      const continues = this.instants.continuesAt(this.at.offset);
      if (continues === undefined) await this.options.window.advance(this.at.offset);
      else if (continues) await this.passTo(this.at.offset + 1, signal);
      else break;
    }
    return this.at;
  }

  private mayContinue(limit: number): boolean {
    const isRow = !Number.isNaN(this.lastRowOffset);
    return this.options.keepsInstants && isRow && this.at.offset < limit && !this.hasEnded;
  }

  private async passTo(offset: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.hasEnded && (this.isSkipping || this.at.offset < offset)) {
      if (!this.pass(offset)) await this.options.window.advance(this.at.offset);
    }
  }

  private get hasEnded(): boolean {
    const { window } = this.options;
    return window.atEnd && this.at.offset >= window.endOffset;
  }

  /** Passes rows. @returns false if more bytes are needed */
  private pass(offset: number): boolean {
    if (this.isSkipping) return this.skipToLineEnd();
    this.passLines(offset);
    const { window } = this.options;
    if (this.at.offset >= offset) return true;
    if (this.at.offset >= window.endOffset) return window.atEnd;
    const record = this.splitter.next(window, this.at.offset);
    if (record === undefined) return false;
    this.lastRowOffset = record.kind === "regular" ? record.start : NaN;
    this.at = { offset: record.next, line: this.at.line + record.lines };
    this.isSkipping = record.kind === "record_too_large";
    return true;
  }

  /** Passes lines as long as they are completely in memory and no quote is open at their ends. A reader continues with the
   *  line after each of them as well, even if it is malformed or too large. */
  private passLines(offset: number): void {
    const { window } = this.options;
    const { bytes } = window;
    const stop = offset - window.offset;
    let at = this.at.offset - window.offset;
    let { line } = this.at;
    let last = at;
    while (at < stop) {
      const lineEnd = bytes.indexOf(lineFeed, at);
      if (lineEnd === -1 || isQuoteOpen(bytes, at, lineEnd)) break;
      last = at;
      at = lineEnd + 1;
      line += 1;
    }
    if (at > last) this.lastRowOffset = window.offset + last;
    this.at = { offset: window.offset + at, line };
  }

  private skipToLineEnd(): boolean {
    const { window } = this.options;
    const { next, isFound } = window.lineAfter(this.at.offset);
    this.isSkipping = !isFound && !window.atEnd;
    this.at = { ...this.at, offset: next };
    return !this.isSkipping;
  }
}

/** True if a quoted field of the line that starts at `start` does not close before `lineEnd`. After a closing quote, anything
 *  but a comma is either the line's end or makes the line malformed: in both cases the row ends with the line. */
function isQuoteOpen(bytes: Buffer, start: number, lineEnd: number): boolean {
  let at = start;
  for (;;) {
    if (bytes[at] === quote) {
      at += 1;
      for (;;) {
        while (at < lineEnd && bytes[at] !== quote) at += 1;
        if (at >= lineEnd) return true;
        at += 1;
        if (bytes[at] !== quote) break;
        at += 1;
      }
      if (bytes[at] !== comma) return false;
    } else {
      while (at < lineEnd && bytes[at] !== comma) at += 1;
      if (at >= lineEnd) return false;
    }
    at += 1;
  }
}
