import { basename } from "node:path";
import { isUtf8 } from "node:buffer";
import { UnusableSource } from "../../../domain/errors.ts";
import type { Position } from "../../../domain/range.ts";
import type { Clock } from "../../../kit/clock.ts";
import { FileContent } from "../file/file-content.ts";
import { fingerprint, openForReading } from "../file/open-file.ts";
import { type CsvForm, translationOf, writtenText } from "./csv-form.ts";
import { csvFields } from "./csv-fields.ts";
import { readHead } from "./csv-head.ts";
import { FileWindow } from "./file-window.ts";
import { detectLayout, type Layout } from "./layout.ts";
import { RowSplitter } from "./row-splitter.ts";

/** An opened CSV file: its layout, the range of its data, and its identity. */
export interface OpenedCsv {
  readonly layout: Layout;
  readonly form: CsvForm;
  readonly start: Position;
  /** Where the content ends. */
  readonly endOffset: number;
  /** The file, of whose content `start` and `endOffset` are offsets. */
  readonly content: FileContent;
  /** The size of the file, which is packed if `content` says so. */
  readonly fileBytes: number;
  /** `{basename}:{fingerprint}`: files with the same name, head and size have the same identity. */
  readonly identity: string;
  /** 16 hexadecimal digits made from the file's head and size. */
  readonly fingerprint: string;
  /** Shows later whether another file has replaced this one. */
  readonly inode: number;
}

/** How a file is opened. */
interface CsvOpening {
  /** Bytes per read. */
  readonly chunkBytes: number;
  readonly clock: Pick<Clock, "after">;
  /** See `detectLayout`. */
  readonly needsHost: boolean;
}

/** Reads a file's header, size and fingerprint. Bytes that are appended later are not part of the opened file.
 *  @throws UnusableSource when the file cannot be read, is empty, or has no usable header */
export async function openCsv(path: string, { chunkBytes, clock, needsHost }: CsvOpening): Promise<OpenedCsv> {
  const seen = await fileSeen(path);
  const content = await FileContent.of(path, clock);
  const endOffset = await content.size(seen.fileBytes);
  const file = await content.open();
  try {
    const window = { file, path, endOffset, chunkBytes };
    const head = await readHead(new FileWindow({ ...window, fromOffset: 0, translate: undefined }), path);
    const { form } = head;
    const fromOffset = head.header.offset;
    const translated = new FileWindow({ ...window, fromOffset, translate: translationOf(form) });
    const header = await readHeader(translated, path, head.header);
    const names = header.names.map((name) => writtenText(name, form.delimiter));
    const layout = { ...detectLayout(names, path, needsHost), hasDecimalCommas: form.delimiter === ";" };
    return { layout, form, start: header.next, endOffset, content, ...seen };
  } finally {
    await file.close();
  }
}

/** A file's size, inode and identity. @throws UnusableSource when the file cannot be read */
export async function fileSeen(
  path: string,
): Promise<Pick<OpenedCsv, "fileBytes" | "inode" | "identity" | "fingerprint">> {
  const file = await openForReading(path);
  try {
    const { size: fileBytes, ino: inode } = await file.stat();
    const digits = await fingerprint(file, fileBytes);
    return { fileBytes, inode, identity: `${basename(path)}:${digits}`, fingerprint: digits };
  } finally {
    await file.close();
  }
}

/** Reads the header.
 *  @throws UnusableSource if the row is not CSV in UTF-8, or the file cannot be read */
async function readHeader(
  window: FileWindow,
  path: string,
  at: Position,
): Promise<{ names: string[]; next: Position }> {
  const splitter = new RowSplitter(undefined);
  let row = splitter.next(window, at.offset);
  for (; row === undefined; row = splitter.next(window, at.offset)) await window.advance(at.offset);
  const bytes = window.bytes.subarray(row.start - window.offset, row.end - window.offset);
  const names = row.kind === "regular" && isText(bytes) ? csvFields(bytes)?.[0] : undefined;
  if (names !== undefined) return { names, next: { offset: row.next, line: at.line + row.lines } };
  throw new UnusableSource(`${path} does not begin with a header line of UTF-8 text; save it as CSV in UTF-8.`);
}

function isText(bytes: Buffer): boolean {
  return !bytes.includes(0) && isUtf8(bytes);
}
