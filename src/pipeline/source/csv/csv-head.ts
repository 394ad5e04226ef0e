import { UnusableSource } from "../../../domain/errors.ts";
import type { Position } from "../../../domain/range.ts";
import { carriageReturn, lineFeed } from "../bytes/characters.ts";
import { type CsvForm, type Delimiter, delimiterNamedBy, delimiterOf, hasCarriageReturns } from "./csv-form.ts";
import type { FileWindow } from "./file-window.ts";
import { looksLikeHeader } from "./layout.ts";
import { refuseOtherFormat } from "./other-formats.ts";
import { defaultRowMaxBytes } from "./row-splitter.ts";

/** What precedes the rows of a file. */
export interface CsvHead {
  readonly form: CsvForm;
  /** Where the header begins. */
  readonly header: Position;
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Finds the header: the first line that is neither blank nor a comment, after a byte order mark and a line `sep=;`.
 *  @param window begins at the start of the file
 *  @throws UnusableSource if the file has another format or no header, or cannot be read */
export async function readHead(window: FileWindow, path: string): Promise<CsvHead> {
  await readFirstLine(window);
  refuseOtherFormat(window.bytes, path);
  const hasMark = byteOrderMark.equals(window.bytes.subarray(0, byteOrderMark.length));
  const start = hasMark ? byteOrderMark.length : 0;
  const hasReturns = hasCarriageReturns(window.bytes.subarray(start));
  const lineEnd = hasReturns ? carriageReturn : lineFeed;
  let named: Delimiter | undefined;
  for (let at: Position = { offset: start, line: 1 }; ;) {
    const line = await lineAt(window, at.offset, lineEnd);
    if (line === undefined) throw new UnusableSource(`${path} is empty; a CSV file begins with a header line.`);
    const text = line.bytes.toString().replace(/\r$/, "");
    if (at.offset === start) named = delimiterNamedBy(text.trim());
    const isNaming = at.offset === start && named !== undefined;
    const form = { delimiter: named ?? delimiterOf(text), hasCarriageReturns: hasReturns };
    if (text.startsWith("#") && looksLikeHeader(text.slice(1).split(form.delimiter))) {
      return { form, header: { ...at, offset: at.offset + 1 } };
    }
    if (text !== "" && !text.startsWith("#") && !isNaming) return { form, header: at };
    at = { offset: line.next, line: at.line + 1 };
  }
}

/** Reads until the first line is in memory. */
async function readFirstLine(window: FileWindow): Promise<void> {
  while (!window.atEnd && window.bytes.length <= defaultRowMaxBytes && !window.bytes.includes(lineFeed)) {
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
