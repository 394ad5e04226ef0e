import { carriageReturn, comma, hashSign, lineFeed, quote } from "../bytes/characters.ts";
import { isComment } from "./csv-form.ts";
import type { FileWindow } from "./file-window.ts";

/** The longest row that production reads, in bytes without its line end. A row of the exporter has about 500 bytes. */
export const defaultRowMaxBytes = 1024 * 1024;

/** A row, or the part of one that `kind` describes. */
export interface RawRow {
  /** `regular`: a whole row; its number of columns may still be wrong. `blank`: an empty line, or a comment (see `isComment`). `malformed_quotes`: the first
   *  line of a row that breaks RowSplitter's rules for quotes. `record_too_large`: the start of a row that is too long; the caller
   *  must skip the bytes from `next` to the line end. */
  readonly kind: "regular" | "blank" | "malformed_quotes" | "record_too_large";
  /** File offset of the first byte. */
  readonly start: number;
  /** File offset after the last byte, line end not included. */
  readonly end: number;
  /** File offset where reading continues. */
  readonly next: number;
  /** Number of lines that start in the row, or in this part of it. */
  readonly lines: number;
  /** True if the file ends before the row does: bytes that are appended later may belong to the row, and change its `kind`. */
  readonly mayContinue: boolean;
}

/** The result of a walk over a row's quotes: the row's line end and its number of columns; `malformed` if a quote or CR is
 *  misplaced or there are too many columns; `undecided` if the walk needs more bytes. */
type Walk = { readonly lineEnd: number; readonly columns: number } | "malformed" | "undecided";

/** Splits a file into rows. Lines end with LF or CRLF; a CR alone is data.
 *
 *  A quoted field may contain line ends. A row of several lines must have correct quotes, at most `maxBytes`, and the header's
 *  number of columns. Otherwise, only its first line is malformed, and the next row starts on the very next line, so that an
 *  unclosed quote never swallows the rows after it. */
export class RowSplitter {
  /** @param columnCount columns of the header; undefined while the header itself is read
   *  @param maxBytes a row whose first line is longer is too large */
  constructor(
    private readonly columnCount: number | undefined,
    private readonly maxBytes = defaultRowMaxBytes,
  ) {}

  /** @returns the row at `offset`; undefined if the window must advance first */
  next(window: FileWindow, offset: number): RawRow | undefined {
    const { maxBytes } = this;
    const { bytes } = window;
    const start = window.indexOf(offset);
    let firstLineEnd = bytes.indexOf(lineFeed, start);
    if (firstLineEnd === -1) {
      // + 1: the last byte may be the CR of a line end
      const tooLarge = bytes.length - start > maxBytes + 1;
      if (!tooLarge && !window.atEnd) return undefined;
      firstLineEnd = bytes.length;
    }
    const firstLine = rowOf(window, start, firstLineEnd);
    if (firstLine.end - firstLine.start > maxBytes) {
      const end = offset + maxBytes;
      const mayContinue = firstLine.mayContinue && this.canEndInTime(window, start);
      return { ...firstLine, kind: "record_too_large", end, next: end, mayContinue };
    }
    if (firstLine.end === firstLine.start) return { ...firstLine, kind: "blank" };
    if (bytes[start] === hashSign && this.isComment(bytes.subarray(start, firstLineEnd))) {
      return { ...firstLine, kind: "blank" };
    }
    if (!bytes.subarray(start, firstLineEnd).includes(quote)) return firstLine;
    return this.quotedRow(window, firstLine);
  }

  private isComment(line: Buffer): boolean {
    return this.columnCount !== undefined && isComment(line, this.columnCount);
  }

  private quotedRow(window: FileWindow, firstLine: RawRow): RawRow | undefined {
    const { bytes, offset, atEnd } = window;
    const start = firstLine.start - offset;
    const canEndInTime = this.canEndInTime(window, start);
    const walk = this.walk(window, start, firstLine.next - offset);
    if (walk === "undecided") {
      if (canEndInTime && !atEnd) return undefined;
      return { ...firstLine, kind: "malformed_quotes", mayContinue: canEndInTime };
    }
    if (walk === "malformed") return { ...firstLine, kind: "malformed_quotes" };
    const row = rowOf(window, start, walk.lineEnd);
    if (row.next === firstLine.next) return row;
    const fits = this.columnCount === undefined || walk.columns === this.columnCount;
    if (!fits || row.end - row.start > this.maxBytes) {
      return { ...firstLine, kind: "malformed_quotes", mayContinue: row.mayContinue && canEndInTime };
    }
    return { ...row, lines: linesIn(bytes, start, row.end - offset) };
  }

  /** True if a row that contains all bytes from `start` on can still end within `maxBytes`. */
  private canEndInTime({ bytes }: FileWindow, start: number): boolean {
    // + 1: the last byte may be the CR of the line end
    return bytes.length - start <= this.maxBytes + 1;
  }

  /** Follows the quotes from `start` to the row's line end. After the first line it stops as soon as there
   *  are too many columns: this bounds the bytes that are read twice. */
  private walk(window: FileWindow, start: number, firstLineNext: number): Walk {
    const { bytes, atEnd } = window;
    const maxColumns = this.columnCount ?? Infinity;
    let columns = 1;
    let at = start;
    for (;;) {
      const fieldEnd = bytes[at] === quote ? quotedFieldEnd(bytes, at) : unquotedFieldEnd(bytes, at);
      if (fieldEnd === -1) return "undecided";
      if (fieldEnd >= bytes.length) return atEnd ? { lineEnd: bytes.length, columns } : "undecided";
      const delimiter = bytes[fieldEnd];
      if (delimiter === lineFeed) return { lineEnd: fieldEnd, columns };
      if (delimiter === carriageReturn) {
        if (fieldEnd + 1 >= bytes.length) return "undecided";
        return bytes[fieldEnd + 1] === lineFeed ? { lineEnd: fieldEnd + 1, columns } : "malformed";
      }
      if (delimiter !== comma) return "malformed";
      columns += 1;
      at = fieldEnd + 1;
      if (columns > maxColumns && at > firstLineNext) return "malformed";
    }
  }
}

/** @returns the index after the closing quote; -1 when there is none in `bytes` */
function quotedFieldEnd(bytes: Buffer, openingQuote: number): number {
  let at = openingQuote + 1;
  for (;;) {
    at = bytes.indexOf(quote, at);
    if (at === -1) return -1;
    if (bytes[at + 1] !== quote) return at + 1;
    at += 2;
  }
}

/** @returns the index of the comma or line feed that ends the field; the length of `bytes` if there is neither */
function unquotedFieldEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== comma && bytes[at] !== lineFeed) at += 1;
  return at;
}

function rowOf(window: FileWindow, start: number, lineEnd: number): RawRow {
  const { bytes, offset } = window;
  const terminated = lineEnd < bytes.length;
  const withCarriageReturn = terminated && lineEnd > start && bytes[lineEnd - 1] === carriageReturn;
  return {
    kind: "regular",
    start: offset + start,
    end: offset + lineEnd - (withCarriageReturn ? 1 : 0),
    next: offset + lineEnd + (terminated ? 1 : 0),
    lines: 1,
    mayContinue: !terminated,
  };
}

function linesIn(bytes: Buffer, start: number, end: number): number {
  let lines = 1;
  for (let at = bytes.indexOf(lineFeed, start); at !== -1 && at < end; at = bytes.indexOf(lineFeed, at + 1)) lines += 1;
  return lines;
}
