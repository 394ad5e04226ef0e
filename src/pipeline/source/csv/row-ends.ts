import type { Position } from "../../../domain/source-range.ts";
import type { FileWindow } from "./file-window.ts";
import { RecordSplitter } from "./record-splitter.ts";

const lineFeed = 0x0a;

/** Finds where rows end, by the same rules as reading them: never inside quotes, nor inside a row that is too large. */
export class RowEnds {
  private readonly splitter: RecordSplitter;
  private at: Position;

  /** @param window stands at `from` */
  constructor(
    private readonly window: FileWindow,
    columnCount: number,
    from: Position,
  ) {
    this.splitter = new RecordSplitter(columnCount);
    this.at = from;
  }

  /** The end of the row that holds the byte before `offset`, or the first one after it; the file's end at the latest. */
  async next(offset: number, signal: AbortSignal): Promise<Position> {
    const { window } = this;
    while (this.at.offset < offset && !signal.aborted && !(window.atEnd && this.at.offset >= window.endOffset)) {
      if (!this.passRows(offset)) await window.advance(this.at.offset);
    }
    return this.at;
  }

  /** Passes rows that are in memory whole. @returns false when more bytes are needed */
  private passRows(offset: number): boolean {
    const { window, splitter } = this;
    let { offset: at, line } = this.at;
    while (at < offset && at < window.endOffset) {
      const record = splitter.next(window, at);
      const next = record?.kind === "record_too_large" ? this.lineEnd(record.next) : record?.next;
      if (record === undefined || next === undefined) break;
      at = next;
      line += record.lines;
    }
    const hasMoved = at !== this.at.offset;
    this.at = { offset: at, line };
    return hasMoved;
  }

  /** After the line feed that ends a row that is too large; undefined where more bytes are needed. */
  private lineEnd(from: number): number | undefined {
    const { bytes, offset, atEnd, endOffset } = this.window;
    const found = bytes.indexOf(lineFeed, from - offset);
    if (found !== -1) return offset + found + 1;
    return atEnd ? endOffset : undefined;
  }
}
