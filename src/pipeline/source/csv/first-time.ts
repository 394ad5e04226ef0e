import type { Position } from "../../../domain/range.ts";
import { parseTimestamp } from "../../../domain/timestamp.ts";
import { csvFields } from "./csv-fields.ts";
import type { FileWindow } from "./file-window.ts";
import type { Layout } from "./layout.ts";
import { type RawRecord, RecordSplitter } from "./record-splitter.ts";

/** The search ends after so many bytes or records: a file that has no time in them has none at all. */
const searchMaxBytes = 8 * 1024 * 1024;
const searchMaxRecords = 10_000;

/** How a file is laid out, and how long its rows may be. */
export interface RowRules {
  readonly layout: Layout;
  readonly recordMaxBytes: number;
}

/** The time of the first row that has one, milliseconds since the epoch; undefined if none of the first rows has one.
 *  @param window begins at `start` */
export async function firstTimeMs(
  window: FileWindow,
  start: Position,
  { layout, recordMaxBytes }: RowRules,
): Promise<number | undefined> {
  const splitter = new RecordSplitter(layout.header.length, recordMaxBytes);
  let offset = start.offset;
  for (let records = 0; records < searchMaxRecords && offset - start.offset < searchMaxBytes;) {
    if (offset >= window.endOffset && window.atEnd) return undefined;
    const record = splitter.next(window, offset);
    if (record === undefined) {
      await window.advance(offset);
      continue;
    }
    const timeMs = timeOf(window, record, layout);
    if (timeMs !== undefined) return timeMs;
    offset = record.next;
    records += 1;
  }
  return undefined;
}

function timeOf(window: FileWindow, record: RawRecord, layout: Layout): number | undefined {
  if (record.kind !== "regular") return undefined;
  const fields = csvFields(window.bytes.subarray(record.start - window.offset, record.end - window.offset))?.[0];
  if (fields?.length !== layout.header.length) return undefined;
  const parsed = parseTimestamp(fields[layout.timestamp] ?? "");
  return "ms" in parsed ? parsed.ms : undefined;
}
