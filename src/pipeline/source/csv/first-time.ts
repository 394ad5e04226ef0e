import type { Position } from "../../../domain/range.ts";
import { parseTimestamp } from "../../../domain/timestamp.ts";
import { csvFields } from "./csv-fields.ts";
import { translationOf, writtenText } from "./csv-form.ts";
import { FileWindow } from "./file-window.ts";
import type { OpenedCsv } from "./open-csv.ts";
import { type RawRow, RowSplitter } from "./row-splitter.ts";

/** The search ends after this many bytes or rows: if none of these rows has a time, the file is assumed to have no times. */
const searchMaxBytes = 8 * 1024 * 1024;
const searchMaxRows = 10_000;

/** How the file is read. */
interface Reading {
  readonly chunkBytes: number;
  readonly rowMaxBytes: number;
}

/** Finds the time of the first row with a valid timestamp.
 *  @returns milliseconds since the epoch; undefined if the search finds no time
 *  @throws UnusableSource when the file cannot be read */
export async function firstTimeIn(opened: OpenedCsv, reading: Reading): Promise<number | undefined> {
  const { path, content, contentBytes: endOffset } = opened.seen;
  const file = await content.open();
  try {
    const { chunkBytes, rowMaxBytes } = reading;
    const { start, form } = opened;
    const window = new FileWindow({
      file,
      path,
      fromOffset: start.offset,
      endOffset,
      chunkBytes,
      translate: translationOf(form),
    });
    return await firstTimeMs(window, start, { opened, rowMaxBytes });
  } finally {
    await file.close();
  }
}

interface RowRules {
  readonly opened: OpenedCsv;
  readonly rowMaxBytes: number;
}

/** @param window begins at `start` */
async function firstTimeMs(
  window: FileWindow,
  start: Position,
  { opened, rowMaxBytes }: RowRules,
): Promise<number | undefined> {
  const splitter = new RowSplitter(opened.layout.header.length, rowMaxBytes);
  let offset = start.offset;
  for (let rows = 0; rows < searchMaxRows && offset - start.offset < searchMaxBytes;) {
    if (offset >= window.endOffset && window.atEnd) return undefined;
    const row = splitter.next(window, offset);
    if (row === undefined) {
      await window.advance(offset);
      continue;
    }
    const timeMs = timeOf(window, row, opened);
    if (timeMs !== undefined) return timeMs;
    offset = row.next;
    rows += 1;
  }
  return undefined;
}

function timeOf(window: FileWindow, row: RawRow, { layout, form }: OpenedCsv): number | undefined {
  if (row.kind !== "regular") return undefined;
  const fields = csvFields(window.bytes.subarray(row.start - window.offset, row.end - window.offset))?.[0];
  if (fields?.length !== layout.header.length) return undefined;
  // the end of the last cell may not have been written yet
  if (row.mayContinue && layout.timestamp === fields.length - 1) return undefined;
  const parsed = parseTimestamp(writtenText(fields[layout.timestamp] ?? "", form.delimiter));
  return "ms" in parsed ? parsed.ms : undefined;
}
