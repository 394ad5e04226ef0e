import { isUtf8 } from "node:buffer";
import { UnusableSource } from "../../../domain/errors.ts";
import type { Position } from "../../../domain/range.ts";
import type { SeenFile } from "../file/file-look.ts";
import { type CsvForm, type DecimalSign, translationOf, writtenText } from "./csv-form.ts";
import { csvFields } from "./csv-fields.ts";
import { readHead } from "./csv-head.ts";
import { decimalSignBytes, decimalSignOf } from "./decimal-sign.ts";
import { FileWindow } from "./file-window.ts";
import { refuseValuesInHeader } from "./header-values.ts";
import { detectLayout, type Layout } from "./layout.ts";
import { RowSplitter } from "./row-splitter.ts";

/** An opened CSV file: its layout, and where its data begins. */
export interface OpenedCsv {
  readonly layout: Layout;
  readonly form: CsvForm;
  readonly start: Position;
  /** The file, of whose content `start` is an offset. */
  readonly seen: SeenFile;
}

/** How a file is opened. */
interface CsvOpening {
  /** Bytes per read. */
  readonly chunkBytes: number;
  /** See `detectLayout`. */
  readonly needsHost: boolean;
}

/** Reads the header of a file.
 *  @throws UnusableSource when the file cannot be read, is empty, or has no usable header */
export async function openCsv(seen: SeenFile, { chunkBytes, needsHost }: CsvOpening): Promise<OpenedCsv> {
  const { path, content, contentBytes: endOffset } = seen;
  const file = await content.open();
  try {
    const window = { file, path, endOffset, chunkBytes };
    const head = await readHead(new FileWindow({ ...window, fromOffset: 0, translate: undefined }), path);
    const { form } = head;
    const fromOffset = head.header.offset;
    const translated = new FileWindow({ ...window, fromOffset, translate: translationOf(form) });
    const header = await readHeader(translated, path, head.header);
    const names = header.names.map((name) => writtenText(name, form.delimiter));
    refuseValuesInHeader(names, path);
    const detected = detectLayout(names, path, needsHost);
    const decimalSign = await signOf(translated, header.next.offset, { form, layout: detected });
    return { layout: { ...detected, decimalSign }, form, start: header.next, seen };
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
  if (isText(bytes)) refuseValuesInHeader(bytes.toString().split(/[",]+/), path);
  throw new UnusableSource(`${path} does not begin with a header line of UTF-8 text; save it as CSV in UTF-8.`);
}

/** The decimal sign of the rows. Only semicolons make a comma likely that the first rows do not show. */
async function signOf(
  window: FileWindow,
  fromOffset: number,
  { form: { delimiter }, layout }: { readonly form: CsvForm; readonly layout: Layout },
): Promise<DecimalSign> {
  if (delimiter === ",") return "point";
  const rows = (await firstRows(window, fromOffset)).map((row) => row.map((cell) => writtenText(cell, delimiter)));
  const sign = decimalSignOf(rows, layout);
  return sign === "either" && delimiter !== ";" ? "point" : sign;
}

/** The cells of the rows in the first bytes, except those of rows with quotes. */
async function firstRows(window: FileWindow, fromOffset: number): Promise<string[][]> {
  const toOffset = fromOffset + decimalSignBytes;
  while (!window.atEnd && window.offset + window.bytes.length < toOffset) await window.advance(fromOffset);
  const bytes = window.bytes.subarray(fromOffset - window.offset, toOffset - window.offset);
  const lines = bytes.toString("latin1").split("\n");
  const isWhole = window.atEnd && bytes.length < decimalSignBytes;
  return (isWhole ? lines : lines.slice(0, -1)).filter((line) => !line.includes('"')).map((line) => line.split(","));
}

function isText(bytes: Buffer): boolean {
  return !bytes.includes(0) && isUtf8(bytes);
}
