import { parseTimestamp } from "../../../domain/timestamp.ts";
import { comma, lineFeed, quote } from "../bytes/characters.ts";
import { translationOf } from "./csv-form.ts";
import { FileWindow } from "./file-window.ts";
import type { OpenedCsv } from "./open-csv.ts";

/** A sample in which a scrape ends less often than once in so many rows tells nothing about scrapes. */
const rowsPerScrapeMax = 10_000;

/** The longest timestamp that is looked at, with its quotes and comma. */
const fieldMaxBytes = 64;

/** Reads over how much time the rows of a file's scrapes are spread, as `scrapeSpreadMs` finds it in its first rows.
 *  @returns 0 if the file is shorter than a sample: a file that grows must not change what is known of its first rows
 *  @throws UnusableSource when the file cannot be read */
export async function spreadIn({ start, form, seen }: OpenedCsv, sampleBytes: number): Promise<number> {
  const { path, content, contentBytes: endOffset } = seen;
  if (endOffset - start.offset < sampleBytes) return 0;
  const file = await content.open();
  try {
    const window = new FileWindow({
      file,
      path,
      fromOffset: start.offset,
      endOffset,
      chunkBytes: sampleBytes,
      translate: translationOf(form),
    });
    await window.advance(start.offset);
    return scrapeSpreadMs(window.bytes);
  } finally {
    await file.close();
  }
}

/** Finds over how much time the rows of a scrape are spread. An exporter's file is often sorted by metric, and the metrics of a scrape
 *  have several instants: its instants go forward by small steps and return, until the next scrape begins with a larger step. If
 *  a batch ended at a small step, its records would be continued in the next batch.
 *  @param sample the first rows of a file whose first column is the timestamp; the last one may be cut off
 *  @returns the greatest step, in milliseconds, after which rows return to an earlier instant; 0 if they never do, or if greater steps
 *    are rare, as in a file that has one GPU after the other */
export function scrapeSpreadMs(sample: Buffer): number {
  /** The steps to new instants since the last return, the earliest first. */
  let steps: { readonly toMs: number; readonly ms: number }[] = [];
  const ended: number[] = [];
  let [spreadMs, latestMs, rows] = [0, -Infinity, 0];
  for (const timeMs of instantsIn(sample)) {
    rows += 1;
    if (timeMs > latestMs) {
      if (latestMs > -Infinity) steps.push({ toMs: timeMs, ms: timeMs - latestMs });
      latestMs = timeMs;
    } else if (timeMs < latestMs && steps.length > 0) {
      for (const { toMs, ms } of steps) {
        if (toMs > timeMs) spreadMs = Math.max(spreadMs, ms);
        else ended.push(ms);
      }
      steps = [];
    }
  }
  const ends = ended.filter((ms) => ms > spreadMs).length;
  return ends * rowsPerScrapeMax >= rows ? spreadMs : 0;
}

/** The instant in the first cell of a row, in milliseconds since the epoch.
 *  @param cell with its quotes, if it has any
 *  @returns NaN if it has none */
export function instantOfCell(cell: Buffer): number {
  const isQuoted = cell[0] === quote && cell.at(-1) === quote && cell.length > 1;
  const parsed = parseTimestamp((isQuoted ? cell.subarray(1, -1) : cell).toString("latin1"));
  return "ms" in parsed ? parsed.ms : NaN;
}

/** The instants of the lines, one for each line that begins with one. */
function* instantsIn(sample: Buffer): Iterable<number> {
  let cell: Buffer = Buffer.alloc(0);
  let timeMs = NaN;
  for (let start = 0; start < sample.length;) {
    const cells = sample.subarray(start, start + fieldMaxBytes);
    const next = cells.subarray(0, Math.max(0, cells.indexOf(comma)));
    // most rows are of the instant of the row before
    if (!next.equals(cell)) {
      cell = next;
      timeMs = instantOfCell(next);
    }
    if (timeMs === timeMs) yield timeMs;
    const lineEnd = sample.indexOf(lineFeed, start);
    if (lineEnd === -1) return;
    start = lineEnd + 1;
  }
}
