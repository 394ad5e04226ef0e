import type { Position } from "../../../domain/range.ts";
import { comma, lineFeed, quote } from "./bytes.ts";
import type { FileWindow } from "./file-window.ts";
import { InstantEnds, instantMaxBytes } from "./instant-ends.ts";
import { RecordSplitter } from "./record-splitter.ts";

/** What rows are like, in the file whose ends are looked for. */
export interface RowEndsOptions {
  /** Stands at `from`. */
  readonly window: FileWindow;
  readonly from: Position;
  /** What the header names. */
  readonly columnCount: number;
  readonly recordMaxBytes: number;
  /** The first column is the timestamp, and the rows of an instant stay together. */
  readonly keepsInstants: boolean;
}

/** Finds where rows end, by the same rules as reading them: never inside quotes, nor inside a row that is too large.
 *
 *  Lines that are a row each are passed in one loop over their bytes, at some 1,500 MB/s beside the 700 MB/s of the
 *  splitter; every other line is the splitter's to judge. */
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

  /** The end of the row that holds the byte before `offset`, or the first one after it, or of the last row of that row's
   *  instant; the file's end at the latest. Where the signal aborts, any place before. */
  async next(offset: number, signal: AbortSignal): Promise<Position> {
    await this.passTo(offset, signal);
    const limit = offset + instantMaxBytes;
    while (this.mayGoOn(limit) && !signal.aborted) {
      if (this.lastRowOffset >= this.options.window.offset) this.instants.remember(this.lastRowOffset);
      const goesOn = this.instants.continuesAt(this.at.offset);
      if (goesOn === undefined) await this.options.window.advance(this.at.offset);
      else if (goesOn) await this.passTo(this.at.offset + 1, signal);
      else break;
    }
    return this.at;
  }

  private mayGoOn(limit: number): boolean {
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

  /** Passes rows. @returns false when more bytes are needed */
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

  /** Passes lines as long as they are in memory whole and no quote is open at their ends. After these, be they malformed
   *  or too large, a reader goes on with the next line, too. */
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

/** True where a quoted field of the line that starts at `start` does not close before `lineEnd`. What stands after a
 *  closing quote and is no comma is either the line's end or makes the line malformed: it ends the row, too. */
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
