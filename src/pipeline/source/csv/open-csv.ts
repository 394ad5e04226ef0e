import { createHash } from "node:crypto";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { isUtf8 } from "node:buffer";
import { UnusableSource } from "../../../domain/errors.ts";
import type { Position } from "../../../domain/range.ts";
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

const fingerprintMaxBytes = 64 * 1024;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Opens a file for reading. @throws UnusableSource saying why it cannot be opened */
export async function openForReading(path: string): Promise<FileHandle> {
  try {
    const stats = await stat(path); // checked first, because opening a pipe would wait for its writer
    if (stats.isFile()) return await open(path, "r");
    throw new UnusableSource(
      `${path} is ${stats.isDirectory() ? "a directory" : "not a regular file"}; set CSV_FILE to a CSV file.`,
    );
  } catch (cause) {
    throw cause instanceof UnusableSource ? cause : new UnusableSource(whyNotOpened(path, cause), { cause });
  }
}

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

/** Identifies a file's content by its first 64 KiB and its size.
 *  @param sizeBytes the size of the content: bytes after it are ignored */
export async function fingerprint(file: FileHandle, sizeBytes: number): Promise<string> {
  const head = Buffer.alloc(Math.min(sizeBytes, fingerprintMaxBytes));
  let filled = 0;
  for (let bytesRead = -1; filled < head.length && bytesRead !== 0; filled += bytesRead) {
    ({ bytesRead } = await file.read(head, filled, head.length - filled, filled));
  }
  const hash = createHash("sha256").update(head.subarray(0, filled)).update(String(sizeBytes));
  return hash.digest("hex").slice(0, 16);
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

function whyNotOpened(path: string, cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return `${path} does not exist; check CSV_FILE.`;
  if (code === "EACCES" || code === "EPERM")
    return `${path} is not readable by this user; grant the user the right to read it.`;
  return `${path} cannot be opened: ${(cause as Error).message}`;
}
