import { afterAll, expect, test } from "bun:test";
import { appendFileSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { UnusableSource } from "../../src/domain/errors.ts";
import type { Range } from "../../src/domain/range.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource, tallyOf } from "../support/csv-reading.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const rowCount = 1000;
const never = new AbortController().signal;

function textOf(rows: number, host = "host-1"): string {
  return [exporterHeader, ...Array.from({ length: rows }, () => exporterRow({ host })), ""].join("\n");
}

/** Reads a file in batches of one row, and changes the file after the first batch. */
async function readAcrossChange(
  change: (path: string) => void,
): Promise<{ read: number; error: unknown; reports: string[] }> {
  const path = folder.write(textOf(rowCount));
  const reports: string[] = [];
  const source = await openCsvSource(path, {
    batchRows: 1,
    chunkBytes: 4096,
    onWarning: (message) => void reports.push(message),
  });
  const batches: RangeBatch[] = [];
  try {
    for await (const batch of source.read(source.whole, never)) {
      if (batches.push(batch) === 1) change(path);
    }
    return { read: tallyOf(batches, "rows"), error: undefined, reports };
  } catch (error) {
    return { read: tallyOf(batches, "rows"), error, reports };
  }
}

function expectRefusal(outcome: { read: number; error: unknown }, message: RegExp): void {
  expect(outcome.read).toBe(1);
  expect(outcome.error).toBeInstanceOf(UnusableSource);
  expect((outcome.error as UnusableSource).message).toMatch(message);
}

test("a replaced file is detected, even if the new file has the same content", async () => {
  const other = textOf(rowCount);
  expect(other.length).toBeGreaterThan(2 * 64 * 1024);
  const outcome = await readAcrossChange((path) => {
    writeFileSync(`${path}.new`, other);
    renameSync(`${path}.new`, path);
  });
  expectRefusal(
    outcome,
    /was replaced while it was read\. The rows read from the old content are kept; start again to read the new content/,
  );
});

test("a file that is overwritten in place is detected", async () => {
  expectRefusal(await readAcrossChange((path) => writeFileSync(path, textOf(rowCount, "host-2"))), /was replaced/);
});

test("a byte that is overwritten in place is detected, wherever it is", async () => {
  const outcome = await readAcrossChange((path) => {
    const text = textOf(rowCount);
    const at = text.lastIndexOf('"42"');
    writeFileSync(path, `${text.slice(0, at)}"43"${text.slice(at + 4)}`);
    utimesSync(path, 1, 1);
  });
  expectRefusal(outcome, /was replaced/);
});

test("a file that becomes shorter or is deleted is detected", async () => {
  expectRefusal(await readAcrossChange((path) => truncateSync(path, 100_000)), /became shorter .* now has 100000/);
  expectRefusal(await readAcrossChange((path) => rmSync(path)), /was deleted after it was opened/);
});

test("a file that grows is read to the end that it had at opening, and its growth is reported once", async () => {
  const more = `${exporterRow()}\n`.repeat(3);
  const { read, error, reports } = await readAcrossChange((path) => appendFileSync(path, more));
  expect(error).toBeUndefined();
  expect(read).toBe(rowCount);
  expect(reports).toEqual([
    expect.stringMatching(new RegExp(`has grown by ${more.length} bytes .* as another source`)),
  ]);
});

test("the growth of a file that grows with every batch is reported once", async () => {
  const path = folder.write(textOf(20));
  const reports: string[] = [];
  const source = await openCsvSource(path, { batchRows: 1, onWarning: (message) => void reports.push(message) });
  for await (const { batch } of source.read(source.whole, never)) {
    appendFileSync(path, `${exporterRow()}\n`.repeat(batch.tally.rows));
  }
  await batchesOf(source);
  expect(reports).toHaveLength(1);
});

test("a file that only gets a new modification time is read to its end", async () => {
  const { read, error, reports } = await readAcrossChange((path) => utimesSync(path, 1, 1));
  expect({ read, error, reports }).toEqual({ read: rowCount, error: undefined, reports: [] });
});

test("a source whose file was overwritten refuses later reads; opening the file again gives another source", async () => {
  const path = folder.write(textOf(3));
  const source = await openCsvSource(path);
  writeFileSync(path, textOf(3, "host-2"));
  for (let attempt = 0; attempt < 2; attempt += 1) {
    expect(await batchesOf(source).catch((error: unknown) => error)).toBeInstanceOf(UnusableSource);
  }
  const reopened = await openCsvSource(path);
  expect(reopened.sourceId).not.toBe(source.sourceId);
  expect(tallyOf(await batchesOf(reopened), "rows")).toBe(3);
});

test("a file that is replaced while it is divided into ranges yields no more ranges", async () => {
  const path = folder.write(textOf(rowCount));
  const source = await openCsvSource(path, { chunkBytes: 4096 });
  const ranges: Range[] = [];
  const planning = (async () => {
    for await (const range of source.planRanges(source.whole.from, 20_000, never)) {
      if (ranges.push(range) === 2) writeFileSync(path, textOf(rowCount, "host-2"));
    }
  })();
  expect(await planning.catch((error: unknown) => error)).toBeInstanceOf(UnusableSource);
  expect(ranges).toHaveLength(2);
});
