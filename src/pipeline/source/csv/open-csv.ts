import { basename } from "node:path";
import { isUtf8 } from "node:buffer";
import { UnusableSource } from "../../../domain/errors.ts";
import type { Position } from "../../../domain/range.ts";
import { fingerprint, openForReading } from "../file/open-file.ts";
import { csvFields } from "./csv-fields.ts";
import { FileWindow } from "./file-window.ts";
import { detectLayout, type Layout } from "./layout.ts";
import { RowSplitter } from "./row-splitter.ts";

/** An opened CSV file: its layout, the range of its data, and its identity. */
export interface OpenedCsv {
  readonly layout: Layout;
  readonly start: Position;
  readonly endOffset: number;
  /** `{basename}:{fingerprint}`: files with the same name, head and size have the same identity. */
  readonly identity: string;
  /** 16 hexadecimal digits made from the file's head and size. */
  readonly fingerprint: string;
  /** Shows later whether another file has replaced this one. */
  readonly inode: number;
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Reads a file's header, size and fingerprint. Bytes that are appended later are not part of the opened file.
 *  @throws UnusableSource when the file cannot be read, is empty, or has no usable header */
export async function openCsv(path: string, chunkBytes: number): Promise<OpenedCsv> {
  const file = await openForReading(path);
  try {
    const { size: endOffset, ino: inode } = await file.stat();
    const window = new FileWindow({ file, path, fromOffset: 0, endOffset, chunkBytes });
    const digits = await fingerprint(file, endOffset);
    while (window.bytes.length < Math.min(endOffset, byteOrderMark.length)) await window.advance(0);
    const identity = `${basename(path)}:${digits}`;
    const hasMark = byteOrderMark.equals(window.bytes.subarray(0, byteOrderMark.length));
    const header = await readHeader(window, path, hasMark ? byteOrderMark.length : 0);
    const layout = detectLayout(header.names, path);
    return { layout, start: header.next, endOffset, identity, fingerprint: digits, inode };
  } finally {
    await file.close();
  }
}

/** Reads the first row that is not blank.
 *  @throws UnusableSource if the row is not CSV in UTF-8, the file has no such row, or the file cannot be read */
async function readHeader(
  window: FileWindow,
  path: string,
  from: number,
): Promise<{ names: string[]; next: Position }> {
  const splitter = new RowSplitter(undefined);
  let position: Position = { offset: from, line: 1 };
  while (position.offset < window.endOffset || !window.atEnd) {
    const row = splitter.next(window, position.offset);
    if (row === undefined) {
      await window.advance(position.offset);
      continue;
    }
    position = { offset: row.next, line: position.line + row.lines };
    if (row.kind === "blank") continue;
    const bytes = window.bytes.subarray(row.start - window.offset, row.end - window.offset);
    const names = row.kind === "regular" && isText(bytes) ? csvFields(bytes)?.[0] : undefined;
    if (names !== undefined) return { names, next: position };
    throw new UnusableSource(`${path} does not begin with a header line of UTF-8 text; save it as CSV in UTF-8.`);
  }
  throw new UnusableSource(`${path} is empty; a CSV file begins with a header line.`);
}

function isText(bytes: Buffer): boolean {
  return !bytes.includes(0) && isUtf8(bytes);
}
