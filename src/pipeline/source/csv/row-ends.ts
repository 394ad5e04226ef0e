import type { Position } from "../../../domain/range.ts";
import { viewOf } from "../bytes/byte-arena.ts";
import { carriageReturn, comma, lineFeed, quote } from "../bytes/characters.ts";
import type { FileWindow } from "./file-window.ts";
import { InstantEnds, instantMaxBytes } from "./instant-ends.ts";
import { RowSplitter } from "./row-splitter.ts";

/** Four quotes, as the bytes of an int32. */
const fourQuotes = 0x2222_2222;

/** The file, and the rules for its rows. */
export interface RowEndsOptions {
  /** Begins at `from`. */
  readonly window: FileWindow;
  readonly from: Position;
  /** Where the file ends. */
  readonly fileEnd: number;
  /** How far before the offset that is looked for the search begins, if a row certainly starts there; Infinity if all bytes
   *  have to be read anyway. */
  readonly searchBytes: number;
  /** Columns of the header. */
  readonly columnCount: number;
  readonly rowMaxBytes: number;
  /** True if the first column is the timestamp and the rows of an instant stay together. */
  readonly keepsInstants: boolean;
  /** The rows of a scrape, too, stay together: see `scrapeSpreadMs`. */
  readonly spreadMs: number;
}

/** Finds where rows end, by the same rules as the reader: never inside quotes or a row that is too large. A row that the file
 *  ends in, such as one with an open quote, ends where the file ends.
 *
 *  A file whose lines begin with a quoted cell is read only near the row ends that are looked for, because each of these lines
 *  certainly starts a row. In other files, all bytes are read: lines that are whole rows are skipped in one loop over the bytes,
 *  at about 1,700 MB/s; all other lines go through the splitter, at 700 MB/s. */
export class RowEnds {
  private readonly splitter: RowSplitter;
  /** The line is NaN if it is not counted. */
  private at: Position;
  /** True inside a row that is too large, which ends where its line ends. */
  private isSkipping = false;
  private readonly instants: InstantEnds;
  private lastRowOffset = NaN;

  constructor(private readonly options: RowEndsOptions) {
    this.instants = new InstantEnds(options.window, options.spreadMs);
    this.splitter = new RowSplitter(options.columnCount, options.rowMaxBytes);
    const { offset, line } = options.from;
    this.at = { offset, line: line === 0 ? NaN : line };
  }

  /** Finds the first row end at or after `offset`. If instants stay together, continues past the next rows of the
   *  same instant or scrape, at most to the first row end that is 64 MiB or more after `offset`.
   *  @returns the row end, with the line 0 if lines were left out; the end of the file if no row ends at or after `offset`; an earlier position, which may be inside a
   *    row, if the signal aborts
   *  @throws UnusableSource when the file cannot be read or has become shorter */
  async next(offset: number, signal: AbortSignal): Promise<Position> {
    await this.jumpTowards(offset);
    await this.skipTo(offset, signal);
    const limit = offset + instantMaxBytes;
    while (this.mayContinue(limit) && !signal.aborted) {
      if (this.lastRowOffset >= this.options.window.offset) this.instants.remember(this.lastRowOffset);
      const continues = this.instants.continuesAt(this.at.offset);
      if (continues === undefined) await this.options.window.advance(this.at.offset);
      else if (continues) await this.skipTo(this.at.offset + 1, signal);
      else break;
    }
    const { at } = this;
    return { offset: at.offset, line: Number.isNaN(at.line) ? 0 : at.line };
  }

  /** Goes to a row that certainly starts somewhat before `offset`, if there is one. */
  private async jumpTowards(offset: number): Promise<void> {
    const { window, searchBytes, fileEnd } = this.options;
    const stop = Math.min(offset, fileEnd);
    const searchFrom = stop - searchBytes;
    if (searchFrom <= window.endOffset) return; // what is in memory is quickly read
    window.moveTo(searchFrom);
    await window.advance(searchFrom);
    const start = certainRowStart(window.bytes, stop - searchFrom);
    if (start === undefined) window.moveTo(this.at.offset);
    else {
      this.at = { offset: searchFrom + start, line: NaN };
      this.lastRowOffset = NaN;
    }
  }

  private mayContinue(limit: number): boolean {
    const isRow = !Number.isNaN(this.lastRowOffset);
    return this.options.keepsInstants && isRow && this.at.offset < limit && !this.hasEnded;
  }

  private async skipTo(offset: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.hasEnded && (this.isSkipping || this.at.offset < offset)) {
      if (!this.skipRows(offset)) await this.options.window.advance(this.at.offset);
    }
  }

  private get hasEnded(): boolean {
    const { window } = this.options;
    return window.atEnd && this.at.offset >= window.endOffset;
  }

  /** Skips rows. @returns false if more bytes are needed */
  private skipRows(offset: number): boolean {
    if (this.isSkipping) return this.skipToLineEnd();
    this.skipLines(offset);
    const { window } = this.options;
    if (this.at.offset >= offset) return true;
    if (this.at.offset >= window.endOffset) return window.atEnd;
    const row = this.splitter.next(window, this.at.offset);
    if (row === undefined) return false;
    if (row.mayContinue) return this.skipToFileEnd();
    this.lastRowOffset = row.kind === "regular" ? row.start : NaN;
    this.at = { offset: row.next, line: this.at.line + row.lines };
    this.isSkipping = row.kind === "record_too_large";
    return true;
  }

  /** Skips a row in which the file ends, with all lines after its first one: bytes that are appended later may show that these
   *  lines belong to the row. */
  private skipToFileEnd(): boolean {
    const { window } = this.options;
    const rest = window.bytes.subarray(this.at.offset - window.offset);
    let { line } = this.at;
    for (let at = 0; at < rest.length; line += 1) {
      const lineEnd = rest.indexOf(lineFeed, at);
      at = lineEnd === -1 ? rest.length : lineEnd + 1;
    }
    this.at = { offset: window.endOffset, line };
    return true;
  }

  /** Skips lines that start before `offset`, as long as they are completely in memory, are not too large, and no quote is open at
   *  their ends. The reader, too, treats each of these lines as a row of its own, even if it is malformed. */
  private skipLines(offset: number): void {
    const { window, rowMaxBytes } = this.options;
    const { bytes } = window;
    const view = viewOf(bytes);
    const stop = window.indexOf(Math.min(offset, window.endOffset));
    let at = window.indexOf(this.at.offset);
    let { line } = this.at;
    let last = at;
    while (at < stop) {
      const lineEnd = bytes.indexOf(lineFeed, at);
      if (lineEnd === -1 || lineEnd - at > rowMaxBytes || isQuoteOpen(view, at, lineEnd)) break;
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

/** Finds a line that begins with a quote and a character of a value. If this quote were within a quoted cell of an earlier line, it
 *  would close the cell, and the character after it would make the quotes of that row malformed. Such a row ends with its first
 *  line. So a row starts at the line that is found, whatever is before it.
 *  @returns its first byte; undefined if no such line begins before `stop` */
function certainRowStart(bytes: Buffer, stop: number): number | undefined {
  for (let lineEnd = bytes.indexOf(lineFeed); lineEnd !== -1; lineEnd = bytes.indexOf(lineFeed, lineEnd + 1)) {
    const start = lineEnd + 1;
    if (start >= stop || start + 1 >= bytes.length) return undefined;
    if (bytes[start] === quote && !closesCell(bytes[start + 1] as number)) return start;
  }
  return undefined;
}

/** True if a quote before this byte may close a cell, or is one of two that mean a quote within a cell. */
function closesCell(byte: number): boolean {
  return byte === quote || byte === comma || byte === lineFeed || byte === carriageReturn;
}

/** True if a quoted field of the line that starts at `start` does not close before `lineEnd`. After a closing quote, anything
 *  but a comma is either the line's end or makes the line malformed: in both cases the row ends with the line. */
function isQuoteOpen(view: DataView, start: number, lineEnd: number): boolean {
  let at = start;
  for (;;) {
    if (view.getUint8(at) === quote) {
      at += 1;
      for (;;) {
        at = quoteAt(view, at, lineEnd);
        if (at >= lineEnd) return true;
        at += 1;
        if (view.getUint8(at) !== quote) break;
        at += 1;
      }
      if (view.getUint8(at) !== comma) return false;
    } else {
      while (at < lineEnd && view.getUint8(at) !== comma) at += 1;
      if (at >= lineEnd) return false;
    }
    at += 1;
  }
}

/** Compares four bytes at a time, which takes little more than half of the time.
 *  Source: https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
 *  @returns the place of the first quote; `end` if there is none before it */
function quoteAt(view: DataView, start: number, end: number): number {
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at) ^ fourQuotes;
    if (((word - 0x0101_0101) & ~word & 0x8080_8080) !== 0) break;
  }
  while (at < end && view.getUint8(at) !== quote) at += 1;
  return at;
}
