import type { Position } from "../../../domain/range.ts";
import { carriageReturn, comma, hashSign, lineFeed, quote, space } from "../bytes/characters.ts";
import type { OpenContent } from "../file/stored-bytes.ts";
import { csvFields } from "./csv-fields.ts";
import { type CsvForm, translationOf, writtenText } from "./csv-form.ts";
import type { CsvReading } from "./csv-reading.ts";
import { FileWindow } from "./file-window.ts";
import { isOtherHeader } from "./header-rows.ts";
import type { Layout } from "./layout.ts";
import type { OpenedCsv } from "./open-csv.ts";
import { RowEnds } from "./row-ends.ts";
import { instantOfCell } from "./scrape-spread.ts";

/** How the name of a time's column begins, without its `_`: as it is written everywhere. */
const timeTexts = ["time", "Time", "TIME"] as const;
const timeLength = 4;
/** What may follow: `timestamp`, `time_stamp`, `Time Stamp`. */
const stamp = /^[_ ]?stamp/i;
const stampLength = 6;
const underscore = 0x5f;
/** The last byte of a byte order mark. */
const markEnd = 0xbf;
const beforeName: ReadonlySet<number | undefined> = new Set([
  ...[undefined, comma, lineFeed, quote, hashSign, space, underscore, markEnd],
]);
const afterName: ReadonlySet<number | undefined> = new Set([
  ...[undefined, comma, lineFeed, carriageReturn, quote, space],
]);

/** Finds the first header of another table in a file: `cat a.csv b.csv`, or a log that is continued with another query. A range that
 *  begins after it does not see it, and would read its rows by the columns of the first table; so it is looked for when the file is opened.
 *  Only lines with a cell such as `timestamp` are looked at: the other bytes are searched at the speed of memory.
 *  @returns where the header begins; undefined if all rows are of one table
 *  @throws UnusableSource when the file cannot be read */
export async function otherTableIn(opened: OpenedCsv, reading: CsvReading): Promise<Position | undefined> {
  const file = await opened.seen.content.open();
  try {
    const window = new FileWindow({ file, ...windowOptions(opened, reading) });
    const rows = new RowStarts(opened, reading);
    const headers = new HeaderLines(opened);
    try {
      for (let at = opened.start.offset; ;) {
        await window.advance(at);
        const { offset } = window;
        const end = endOfLines(window, reading.rowMaxBytes);
        for (const start of headers.in(window.bytes.subarray(0, end))) {
          const row = await rows.startAt(offset + start);
          if (row !== undefined) return row;
        }
        if (window.atEnd) return undefined;
        at = offset + end;
      }
    } finally {
      await rows.close();
    }
  } finally {
    await file.close();
  }
}

type WindowOptions = Omit<ConstructorParameters<typeof FileWindow>[0], "file">;

function windowOptions({ seen, start, form }: OpenedCsv, { chunkBytes }: CsvReading): WindowOptions {
  const { path, contentBytes: endOffset } = seen;
  return { path, fromOffset: start.offset, endOffset, chunkBytes, translate: translationOf(form) };
}

/** The index after the last whole line; that of the end if the line is too large for a row, or if the file ends. */
function endOfLines({ bytes, atEnd }: FileWindow, rowMaxBytes: number): number {
  const end = atEnd ? bytes.length : bytes.lastIndexOf(lineFeed) + 1;
  return end === 0 && bytes.length > rowMaxBytes ? bytes.length : end;
}

/** Finds lines that are headers of other tables. */
class HeaderLines {
  private readonly layout: Layout;
  private readonly form: CsvForm;
  /** The last line that is none, although it has the name: a log may repeat its header every few rows. */
  private known: Buffer = Buffer.alloc(0);

  constructor({ layout, form }: OpenedCsv) {
    this.layout = layout;
    this.form = form;
  }

  /** @param bytes whole lines @returns the index of each such line's first byte */
  *in(bytes: Buffer): Generator<number, void, undefined> {
    const names = new TimeNames(bytes);
    for (let name = names.next(0); name !== -1;) {
      const start = name === 0 ? 0 : bytes.lastIndexOf(lineFeed, name - 1) + 1;
      const lineEnd = bytes.indexOf(lineFeed, name);
      const end = lineEnd === -1 ? bytes.length : lineEnd;
      if (this.isHeader(bytes.subarray(start, end))) yield start;
      name = names.next(end);
    }
  }

  private isHeader(line: Buffer): boolean {
    if (line.equals(this.known) || this.hasTime(line)) return false;
    const { delimiter } = this.form;
    const row = csvFields(line)?.[0]?.map((text) => writtenText(text, delimiter));
    if (row !== undefined && isOtherHeader(row, this.layout)) return true;
    this.known = Buffer.from(line);
    return false;
  }

  /** True if a line certainly begins with a time, as nearly all do. */
  private hasTime(line: Buffer): boolean {
    if (this.layout.timestamp !== 0) return false;
    const end = line.indexOf(comma);
    return end !== -1 && !Number.isNaN(instantOfCell(line.subarray(0, end)));
  }
}

/** Finds cells that are the name of a time's column. */
class TimeNames {
  /** The next place of each text; -1 if there is none. */
  private readonly places: number[] = timeTexts.map(() => 0);

  constructor(private readonly bytes: Buffer) {
    this.places = timeTexts.map((text) => bytes.indexOf(text));
  }

  /** @returns the index of the first one at or after `from`; -1 if there is none */
  next(from: number): number {
    for (let at = this.place(from); at !== -1; at = this.place(at + 1)) if (this.isName(at)) return at;
    return -1;
  }

  private place(from: number): number {
    let first = -1;
    timeTexts.forEach((text, index) => {
      let place = this.places[index] ?? -1;
      if (place !== -1 && place < from) this.places[index] = place = this.bytes.indexOf(text, from);
      if (place !== -1 && (first === -1 || place < first)) first = place;
    });
    return first;
  }

  private isName(at: number): boolean {
    const { bytes } = this;
    if (!beforeName.has(bytes[at - 1])) return false;
    const end = at + timeLength;
    const [following = ""] = stamp.exec(bytes.toString("latin1", end, end + stampLength)) ?? [];
    return afterName.has(bytes[end + following.length]);
  }
}

/** Knows where rows begin: a line within a quoted cell of several lines is no row. */
class RowStarts {
  private ends: RowEnds | undefined;
  private file: Pick<OpenContent, "close"> | undefined;

  constructor(
    private readonly opened: OpenedCsv,
    private readonly reading: CsvReading,
  ) {}

  /** @returns the row that begins at `offset`, with its line; undefined if none does */
  async startAt(offset: number): Promise<Position | undefined> {
    const { start } = this.opened;
    if (offset === start.offset) return start;
    this.ends ??= await this.open();
    const end = await this.ends.next(offset, new AbortController().signal);
    return end.offset === offset ? end : undefined;
  }

  async close(): Promise<void> {
    await this.file?.close();
  }

  private async open(): Promise<RowEnds> {
    const { opened, reading } = this;
    const file = await opened.seen.content.open();
    this.file = file;
    return new RowEnds({
      window: new FileWindow({ file, ...windowOptions(opened, reading) }),
      from: opened.start,
      fileEnd: opened.seen.contentBytes,
      searchBytes: Infinity,
      columnCount: opened.layout.header.length,
      rowMaxBytes: reading.rowMaxBytes,
      keepsInstants: false,
      spreadMs: 0,
    });
  }
}
