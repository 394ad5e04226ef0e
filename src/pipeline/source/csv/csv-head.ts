import { quoted } from "../../../domain/cut-text.ts";
import { UnusableSource } from "../../../domain/errors.ts";
import type { Position } from "../../../domain/range.ts";
import { carriageReturn, lineFeed } from "../bytes/characters.ts";
import { looksLikeHeader } from "./column-names.ts";
import {
  type CsvForm,
  type Delimiter,
  delimiterNamedBy,
  delimiterOf,
  hasCarriageReturns,
  otherDelimiterNamedBy,
} from "./csv-form.ts";
import type { FileWindow } from "./file-window.ts";
import { refuseOtherFormat } from "./other-formats.ts";
import { defaultRowMaxBytes } from "./row-splitter.ts";

/** What precedes the rows of a file. */
export interface CsvHead {
  readonly form: CsvForm;
  /** Where the header begins. */
  readonly header: Position;
}

/** A short first line, and its end. */
const firstLine = /^([^\r\n]{1,16})(?:\r\n|\r|\n)/;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Finds the header: the first line that is neither blank nor a comment, after a byte order mark and a line `sep=;`.
 *  @param window begins at the start of the file
 *  @throws UnusableSource if the file has another format or no header, or cannot be read */
export async function readHead(window: FileWindow, path: string): Promise<CsvHead> {
  await readLine(window, 0);
  refuseOtherFormat(window.bytes, path);
  const { named, rows } = await afterDelimiterLine(window, path);
  const hasReturns = hasCarriageReturns(window.bytes.subarray(rows.offset));
  const lineEnd = hasReturns ? carriageReturn : lineFeed;
  for (let at = rows; ;) {
    const line = await lineAt(window, at.offset, lineEnd);
    if (line === undefined) throw new UnusableSource(`${path} is empty; a CSV file begins with a header line.`);
    const text = line.bytes.toString().replace(/\r$/, "");
    const form = { delimiter: named ?? delimiterOf(text), hasCarriageReturns: hasReturns };
    if (text.startsWith("#") && looksLikeHeader(text.slice(1).split(form.delimiter))) {
      return { form, header: { ...at, offset: at.offset + 1 } };
    }
    if (text !== "" && !text.startsWith("#")) return { form, header: at };
    at = { offset: line.next, line: at.line + 1 };
  }
}

/** Reads a byte order mark and a line that names the delimiter. The line may have another end than the lines that follow.
 *  @returns the position of what follows, whose first line is then in memory */
async function afterDelimiterLine(
  window: FileWindow,
  path: string,
): Promise<{ readonly named: Delimiter | undefined; readonly rows: Position }> {
  const hasMark = byteOrderMark.equals(window.bytes.subarray(0, byteOrderMark.length));
  const start = hasMark ? byteOrderMark.length : 0;
  const [line = "", lineText = ""] = firstLine.exec(window.bytes.subarray(start).toString("latin1")) ?? [];
  const named = delimiterNamedBy(lineText.trim());
  const other = otherDelimiterNamedBy(lineText.trim());
  if (other !== undefined) {
    throw new UnusableSource(
      `${path} separates its columns with ${quoted(other)}, as its line ${quoted(lineText.trim())} says; separate them with commas, semicolons, tabs or |.`,
    );
  }
  if (named === undefined) return { named, rows: { offset: start, line: 1 } };
  const rows = { offset: start + line.length, line: 2 };
  await readLine(window, rows.offset);
  return { named, rows };
}

/** Reads until the line at the offset is in memory. */
async function readLine(window: FileWindow, offset: number): Promise<void> {
  while (!window.atEnd && window.bytes.length <= defaultRowMaxBytes && !window.bytes.includes(lineFeed, offset)) {
    await window.advance(0);
  }
}

/** @returns the bytes of the line, cut if it is very long; undefined if the file has ended */
async function lineAt(
  window: FileWindow,
  offset: number,
  lineEnd: number,
): Promise<{ readonly bytes: Buffer; readonly next: number } | undefined> {
  for (;;) {
    const start = window.indexOf(offset);
    const end = window.bytes.indexOf(lineEnd, start);
    if (end !== -1) return { bytes: window.bytes.subarray(start, end), next: window.offset + end + 1 };
    const isCut = window.atEnd || window.bytes.length - start > defaultRowMaxBytes;
    if (isCut && start === window.bytes.length) return undefined;
    if (isCut) return { bytes: window.bytes.subarray(start), next: window.endOffset };
    await window.advance(offset);
  }
}
