import { afterAll, expect, test } from "bun:test";
import { open } from "node:fs/promises";
import fc from "fast-check";
import type { Position } from "../../src/domain/range.ts";
import { RowEnds } from "../../src/pipeline/source/csv/row-ends.ts";
import { FileWindow } from "../../src/pipeline/source/csv/file-window.ts";
import { RowSplitter } from "../../src/pipeline/source/csv/row-splitter.ts";
import type { CsvSource } from "../../src/pipeline/source/csv/csv-source.ts";
import type { Range } from "../../src/domain/range.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import { csvBytes, readings } from "../support/arbitrary-csv.ts";
import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  openCsvSource,
  rejectedOf,
  tallyOf,
  type TestCsvOptions,
} from "../support/csv-reading.ts";
import { mergedRecords } from "../support/merged-records.ts";
import { propertyRuns } from "../support/property-runs.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

/** The timeout of a test that reads a hundred files, and may open each of them again for every range. Such a test takes about 2 s
 *  on an idle machine. */
const timeoutMs = 60_000;
const never = new AbortController().signal;
const rangeSizes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 20_000 }));

function rangesOf(source: CsvSource, rangeBytes: number, from = source.whole.from): Promise<Range[]> {
  return Array.fromAsync(source.planRanges(from, rangeBytes, never));
}

/** Reads the ranges one by one, each as a separate process would. */
async function readRanges(path: string, planned: readonly Range[], options: TestCsvOptions) {
  const batches: RangeBatch[] = [];
  for (const { from, to } of planned) {
    const source = await openCsvSource(path, options);
    batches.push(...(await batchesOf(source, { from, to })));
  }
  return batches;
}

function lineAt(bytes: Buffer, offset: number): number {
  return bytes.subarray(0, offset).toString("latin1").split("\n").length;
}

test(
  "contiguous ranges cover the file; each ends, with its line number if it is counted, at the row that fills it or the last row",
  async () => {
    await fc.assert(
      fc.asyncProperty(csvBytes, readings, rangeSizes, async (bytes, options, rangeBytes) => {
        const source = await openCsvSource(folder.write(bytes), options);
        const [planned, rows] = [await rangesOf(source, rangeBytes), await rangesOf(source, 1)];
        let start = source.whole.from;
        for (const { from, to } of planned) {
          expect(from).toEqual(start);
          const end = rows.find((row) => row.to.offset >= from.offset + rangeBytes) ?? rows.at(-1);
          expect(to.offset).toBe(end?.to.offset as number);
          start = to;
          if (start.offset < bytes.length) expect([0, lineAt(bytes, start.offset)]).toContain(start.line);
        }
        expect(start.offset).toBe(bytes.length);
        // another streamer may continue the plan after any range, also after one whose lines are not counted
        const [, ...rest] = planned;
        const offsetsOf = (ranges: readonly Range[]): number[] => ranges.map(({ to }) => to.offset);
        if (rest[0] !== undefined) {
          expect(offsetsOf(await rangesOf(source, rangeBytes, rest[0].from))).toEqual(offsetsOf(rest));
        }
      }),
      { numRuns: propertyRuns(30) },
    );
  },
  timeoutMs,
);

function linesIn(bytes: Buffer): number {
  return bytes.toString("latin1").replace(/\n$/, "").split("\n").length;
}

/** The ends of rows according to the splitter alone, with the whole file in memory. A row that the file ends in ends there. */
async function splitterEnds(path: string, { whole }: CsvSource, maxBytes: number): Promise<Position[]> {
  const file = await open(path);
  const endOffset = whole.to.offset;
  try {
    const window = new FileWindow({
      file,
      path,
      fromOffset: 0,
      endOffset,
      chunkBytes: endOffset,
      translate: undefined,
    });
    await window.advance(0);
    const splitter = new RowSplitter(exporterHeader.split(",").length, maxBytes);
    const ends: Position[] = [];
    for (let at = whole.from; at.offset < endOffset; ends.push(at)) {
      const row = splitter.next(window, at.offset);
      if (row === undefined)
        throw new Error("the splitter found no end of a row, although the whole file is in memory");
      const lineEnd = row.kind === "record_too_large" ? window.lineAfter(row.next).next : row.next;
      const offset = row.mayContinue ? endOffset : lineEnd;
      const lines = row.mayContinue ? linesIn(window.bytes.subarray(at.offset)) : row.lines;
      at = { offset, line: at.line + lines };
    }
    return ends;
  } finally {
    await file.close();
  }
}

test(
  "rows end where the splitter alone ends them, with any size of chunks and from the start of any row",
  async () => {
    await fc.assert(
      fc.asyncProperty(csvBytes, readings, fc.nat(), async (bytes, { chunkBytes, rowMaxBytes }, pick) => {
        const path = folder.write(bytes);
        const source = await openCsvSource(path, { batchRows: 1, chunkBytes, rowMaxBytes });
        const rows = await rangesOf(source, 1);
        const ends = await splitterEnds(path, source, rowMaxBytes);
        expect(rows.map(({ to }) => to)).toEqual(ends);
        const from = rows[pick % Math.max(1, rows.length)]?.from ?? source.whole.from;
        expect(await rangesOf(source, 1, from)).toEqual(rows.slice(rows.findIndex((row) => row.from === from)));
        // each batch also ends where a row ends, or within a last row with an open quote, each of whose lines is read as a row
        const endAt = new Map(ends.map((end) => [end.offset, end]));
        const lastFrom = rows.at(-1)?.from.offset ?? 0;
        for (const { range } of await batchesOf(source)) {
          if (range.to.offset <= lastFrom) expect(endAt.get(range.to.offset)).toEqual(range.to);
        }
      }),
      { numRuns: propertyRuns(30) },
    );
  },
  timeoutMs,
);

/** Pieces of quoted cells that, at the start of a line, may look like the start of a row. */
const cellPieces = fc.array(fc.constantFrom("a", ",", "\n", '""', '\n""', "\n,", "\r\n", '\n"",a'), { maxLength: 8 });
const quotedRows = fc
  .array(cellPieces, { minLength: 1, maxLength: 3 })
  .map((cells) => `${cells.map((pieces) => `"${pieces.join("")}"`).join(",")}\n`);
/** Rows of quoted cells with line ends in them, and rows whose quotes are malformed. */
const quotedText = fc
  .array(fc.oneof({ weight: 3, arbitrary: quotedRows }, fc.constantFrom('"a', 'a"', "a,a\n", '"\n', "\n", '\n"a"')), {
    maxLength: 12,
  })
  .map((parts) => Buffer.from(parts.join("")));

test(
  "a row end is the same whether the search begins near it or at the start of the file",
  async () => {
    const search = fc.record({
      chunkBytes: fc.integer({ min: 1, max: 40 }),
      searchBytes: fc.integer({ min: 1, max: 40 }),
      rowMaxBytes: fc.integer({ min: 5, max: 100 }),
      columnCount: fc.integer({ min: 1, max: 3 }),
      keepsInstants: fc.boolean(),
      offset: fc.integer({ min: 1, max: 150 }),
    });
    await fc.assert(
      fc.asyncProperty(quotedText, search, async (bytes, { chunkBytes, offset, ...rules }) => {
        const path = folder.write(bytes);
        const file = await open(path);
        const from = { offset: 0, line: 1 };
        const fileEnd = bytes.length;
        const endFrom = async (searchBytes: number): Promise<Position> => {
          const window = new FileWindow({
            file,
            path,
            fromOffset: 0,
            endOffset: fileEnd,
            chunkBytes,
            translate: undefined,
          });
          return new RowEnds({ ...rules, window, from, fileEnd, spreadMs: 0, searchBytes }).next(offset, never);
        };
        try {
          const [near, whole] = [await endFrom(rules.searchBytes), await endFrom(Infinity)];
          expect(near.offset).toBe(whole.offset);
          expect([0, whole.line]).toContain(near.line);
        } finally {
          await file.close();
        }
      }),
      { numRuns: propertyRuns(300) },
    );
  },
  timeoutMs,
);

/** Every record as the store receives it, with its GPU and occupants. */
function recordsOf(batches: readonly RangeBatch[]): unknown[] {
  return batches.flatMap(({ batch }) =>
    Array.from(batch.timesMs, (timeMs, record) => ({
      timeMs,
      gpu: batch.gpus[batch.gpuIndexes[record] as number],
      occupants: batch.occupants[batch.occupantsIndexes[record] as number],
      values: [...batch.columns].map(([metric, values]) => [metric, String(values[record])]),
      custom: batch.custom.filter((custom) => custom.record === record),
    })),
  );
}

test(
  "with batches of one row, ranges that are read one by one give the records, rejections and counts of the whole file",
  async () => {
    await fc.assert(
      fc.asyncProperty(csvBytes, readings, rangeSizes, async (bytes, { chunkBytes, rowMaxBytes }, rangeBytes) => {
        const path = folder.write(bytes);
        const source = await openCsvSource(path, { batchRows: 1, chunkBytes, rowMaxBytes });
        const whole = await batchesOf(source);
        const parts = await readRanges(path, await rangesOf(source, rangeBytes), { batchRows: 1, rowMaxBytes });
        expect(recordsOf(parts)).toEqual(recordsOf(whole));
        expect(rejectedOf(parts)).toEqual(rejectedOf(whole));
        for (const count of ["rows", "samples", "missing", "duplicates", "blankLines", "repeatedHeaders"] as const) {
          expect(tallyOf(parts, count)).toBe(tallyOf(whole, count));
        }
      }),
      { numRuns: propertyRuns(30) },
    );
  },
  timeoutMs,
);

// A batch also ends where a range ends. This test therefore does not compare what depends on the ends of batches: which values
// are duplicates or conflicts within a batch, and which of two hosts is known to report the uuid of the other.
test(
  "with batches of any size, ranges that are read one by one give the records, rejections and counts of the whole file",
  async () => {
    await fc.assert(
      fc.asyncProperty(csvBytes, readings, rangeSizes, async (bytes, options, rangeBytes) => {
        const path = folder.write(bytes);
        const source = await openCsvSource(path, options);
        const whole = await batchesOf(source);
        const parts = await readRanges(path, await rangesOf(source, rangeBytes), options);
        const records = (batches: RangeBatch[]) => mergedRecords(batches.map(({ batch }) => batch));
        expect(sortedByKey(records(parts))).toEqual(sortedByKey(records(whole)));
        const rejected = (batches: RangeBatch[]) =>
          rejectedOf(batches).filter(({ reason }) => reason !== "uuid_on_two_hosts");
        expect(rejected(parts)).toEqual(rejected(whole));
        for (const count of ["rows", "missing", "blankLines", "repeatedHeaders"] as const) {
          expect(tallyOf(parts, count)).toBe(tallyOf(whole, count));
        }
        const values = (batches: RangeBatch[]): number =>
          tallyOf(batches, "samples") + tallyOf(batches, "duplicates") + tallyOf(batches, "conflicts");
        const ofTwoHosts = (batches: RangeBatch[]): number => rejectedOf(batches).length - rejected(batches).length;
        if (ofTwoHosts(parts) + ofTwoHosts(whole) === 0) expect(values(parts)).toBe(values(whole));
      }),
      { numRuns: propertyRuns(30) },
    );
  },
  timeoutMs,
);

function sortedByKey<Value>(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

test("an abort ends the planning without an error, and without a range that ends inside a row", async () => {
  const source = await openCsvSource(folder.write(`timestamp,gpu_id,uuid,hostname,temperature\n${"x\n".repeat(5000)}`));
  const stop = new AbortController();
  const planned: Range[] = [];
  for await (const range of source.planRanges(source.whole.from, 100, stop.signal)) {
    planned.push(range);
    if (planned.length === 3) stop.abort();
  }
  expect(planned.map(({ from, to }) => to.offset - from.offset)).toEqual([100, 100, 100]);
  expect(await Array.fromAsync(source.planRanges(source.whole.from, 100, stop.signal))).toEqual([]);
});
