import { carriageReturn, comma, hashSign, lineFeed, quote } from "../bytes/characters.ts";

/** How a file separates its columns and its lines. */
export interface CsvForm {
  readonly delimiter: Delimiter;
  /** True if a CR alone ends a line. */
  readonly hasCarriageReturns: boolean;
}

export const delimiters = [",", ";", "\t", "|"] as const;
export type Delimiter = (typeof delimiters)[number];

/** What separates the decimals of a file's numbers. `either`: its first rows do not show it; `mixed`: they show both. */
export type DecimalSign = "point" | "comma" | "either" | "mixed";

/** The form of nearly all files. */
export const usualForm: CsvForm = { delimiter: ",", hasCarriageReturns: false };

/** `sep=;`, which spreadsheets write in front of the header to name the delimiter. */
const delimiterLine = /^"?sep=([,;\t|])"?$/i;

/** The delimiter that a file's first line names. */
export function delimiterNamedBy(line: string): Delimiter | undefined {
  return delimiterLine.exec(line)?.[1] as Delimiter | undefined;
}

/** The text that a file's first line names as the delimiter, if it is none that can be read. */
export function otherDelimiterNamedBy(line: string): string | undefined {
  return delimiterLine.test(line) ? undefined : /^"?sep=(.{0,8}?)"?$/i.exec(line)?.[1];
}

/** The delimiter of a header: the one that it has most often outside quotes; the comma if it has none. */
export function delimiterOf(headerLine: string): Delimiter {
  const plain = headerLine.replace(/"(?:[^"]|"")*"/g, "");
  const counts = delimiters.map((delimiter) => plain.split(delimiter).length);
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ",";
}

/** True if lines end with a CR alone: the first line end is one, and is not within quotes.
 *  @param head the first line at least, or the whole file */
export function hasCarriageReturns(head: Buffer): boolean {
  const firstLineFeed = head.indexOf(lineFeed);
  const first = head.indexOf(carriageReturn);
  // the last byte may be the CR of a line end whose LF has not been written yet
  const isAlone = first !== -1 && first + 1 < head.length && head[first + 1] !== lineFeed;
  if (!isAlone || (firstLineFeed !== -1 && firstLineFeed < first)) return false;
  return head.subarray(0, first).filter((byte) => byte === quote).length % 2 === 0;
}

/** Makes bytes of the form into bytes of the usual form, in place and without moving one: commas and delimiters change places, and
 *  CRs become LFs. So everything that reads rows needs to know only one form, and offsets are those of the file.
 *  @returns undefined if the bytes have the usual form */
export function translationOf({ delimiter, hasCarriageReturns }: CsvForm): ((bytes: Uint8Array) => void) | undefined {
  if (delimiter === "," && !hasCarriageReturns) return undefined;
  const table = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const code = delimiter.charCodeAt(0);
  table[comma] = code;
  table[code] = comma;
  if (hasCarriageReturns) table[carriageReturn] = lineFeed;
  return (bytes) => {
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = table[bytes[at] as number] as number;
  };
}

/** Gives a text that was translated (see `translationOf`) its commas and delimiters back. */
export function writtenText(text: string, delimiter: Delimiter): string {
  if (delimiter === "," || !(text.includes(",") || text.includes(delimiter))) return text;
  return text.replace(/[,;\t|]/g, (found) => (found === "," ? delimiter : found === delimiter ? "," : found));
}

/** True if a line is a comment: it begins with `#`, and does not have as many columns as the header. */
export function isComment(line: Uint8Array, columnCount: number): boolean {
  if (line[0] !== hashSign) return false;
  return line.reduce((columns, byte) => columns + (byte === comma ? 1 : 0), 1) !== columnCount;
}
