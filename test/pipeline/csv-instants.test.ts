import { afterAll, expect, test } from "bun:test";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import { scrapeSpreadMs } from "../../src/pipeline/source/csv/scrape-spread.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../support/csv-reading.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const metrics = ["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE"];
const gpuCount = 20;
const instantRows = metrics.length * gpuCount;
const instants = Array.from({ length: 12 }, (_, second) => new Date(Date.UTC(2025, 6, 18) + second * 1000));

/** The rows of a fleet in a scraper's order: instant by instant, metric by metric, GPU by GPU. */
const rows = instants.flatMap((instant) =>
  metrics.flatMap((metric) =>
    Array.from({ length: gpuCount }, (_, gpu) =>
      exporterRow({ timestamp: instant.toISOString().replace(".000", ""), metric, uuid: `GPU-${gpu}` }),
    ),
  ),
);
const path = folder.write([exporterHeader, ...rows, ""].join("\n"));

const rowCounts = (batches: readonly RangeBatch[]): number[] => batches.map(({ batch }) => batch.tally.rows);

/** The number of records in the batches. It equals the file's number of records if no batch's end splits a record. */
function recordsOf(batches: readonly RangeBatch[]): number {
  return batches.reduce((sum, { batch }) => sum + batch.recordCount, 0);
}

for (const fastLane of [true, false]) {
  for (const chunkBytes of [400, 5000, 1 << 20]) {
    test(`a batch continues to the end of its instant (fast lane ${fastLane}, chunks of ${chunkBytes} bytes)`, async () => {
      const options = { fastLane, chunkBytes, batchRows: 70, batchMaxRows: 1000 };
      const batches = await batchesOf(await openCsvSource(path, options));
      expect(rowCounts(batches)).toEqual(Array<number>(6).fill(2 * instantRows));
      expect(recordsOf(batches)).toBe(gpuCount * instants.length);
    });
  }
}

test("an instant with more rows than a batch may have is divided between batches", async () => {
  const batches = await batchesOf(await openCsvSource(path, { batchRows: 10, batchMaxRows: 25 }));
  expect(rowCounts(batches).slice(0, 4)).toEqual([25, 25, 10, 25]);
});

test("if batchMaxRows equals batchRows, a batch has exactly batchRows rows", async () => {
  const batches = await batchesOf(await openCsvSource(path, { batchRows: 25 }));
  expect(rowCounts(batches).slice(0, 3)).toEqual([25, 25, 25]);
});

test("ranges end at the end of an instant, whether they are small or large", async () => {
  const source = await openCsvSource(path, { batchRows: 10, batchMaxRows: 1000, chunkBytes: 1000 });
  for (const rangeBytes of [1, 3000, 20_000, 1_000_000]) {
    const batches: RangeBatch[] = [];
    for await (const { from, to } of source.planRanges(source.whole.from, rangeBytes, new AbortController().signal)) {
      batches.push(...(await batchesOf(source, { from, to })));
    }
    expect(recordsOf(batches)).toBe(gpuCount * instants.length);
    expect(rowCounts(batches)).toEqual(Array<number>(instants.length).fill(instantRows));
  }
});

/** Scrapes 15 s apart, sorted by metric; the first and last metric of a GPU have one instant, the other one is a second later. */
const spreadRows = instants.flatMap((_, scrape) =>
  metrics.flatMap((metric, at) =>
    Array.from({ length: gpuCount }, (_, gpu) => {
      const timestamp = new Date(Date.UTC(2025, 6, 18) + scrape * 15_000 + (at % 2) * 1000).toISOString();
      return exporterRow({ timestamp, metric, uuid: `GPU-${gpu}` });
    }),
  ),
);
const spreadPath = folder.write([exporterHeader, ...spreadRows, ""].join("\n"), "spread.csv");
const spreadRecords = 2 * gpuCount * instants.length;
const sampled = { batchRows: 70, batchMaxRows: 1000, sampleBytes: 60_000 };

for (const fastLane of [true, false]) {
  test(`the records of a scrape whose metrics have several instants stay whole (fast lane ${fastLane})`, async () => {
    for (const chunkBytes of [400, 5000, 1 << 20]) {
      const source = await openCsvSource(spreadPath, { ...sampled, fastLane, chunkBytes });
      const batches = await batchesOf(source);
      expect(rowCounts(batches)).toEqual(Array<number>(6).fill(2 * instantRows));
      expect(recordsOf(batches)).toBe(spreadRecords);
    }
  });
}

test("ranges end at the end of a scrape", async () => {
  const source = await openCsvSource(spreadPath, { ...sampled, chunkBytes: 1000 });
  for (const rangeBytes of [1, 3000, 20_000, 1_000_000]) {
    const batches: RangeBatch[] = [];
    for await (const { from, to } of source.planRanges(source.whole.from, rangeBytes, new AbortController().signal)) {
      batches.push(...(await batchesOf(source, { from, to })));
    }
    expect(recordsOf(batches)).toBe(spreadRecords);
  }
});

test("a file that is shorter than a sample has the same batches while it grows", async () => {
  const batches = await batchesOf(await openCsvSource(spreadPath, { ...sampled, sampleBytes: 16 * 1024 * 1024 }));
  expect(recordsOf(batches)).toBeGreaterThan(spreadRecords);
});

test("the spread of scrapes is the greatest step after which rows return to an earlier instant", () => {
  const spreadOf = (seconds: readonly number[]): number =>
    scrapeSpreadMs(
      Buffer.from(seconds.map((at) => `${new Date(Date.UTC(2025, 0) + at * 1000).toISOString()},x\n`).join("")),
    );
  expect(spreadOf([0, 1, 3, 0, 1, 3, 15, 16, 18, 15, 16, 18, 30, 31, 33, 30])).toBe(2000);
  expect(spreadOf([0, 0, 15, 15, 30, 30])).toBe(0);
  // one GPU after the other: nothing tells where a scrape ends
  expect(spreadOf([0, 15, 30, 45, 0, 15, 30, 45, 0, 15, 30, 45])).toBe(0);
  expect(spreadOf([45, 30, 15, 0])).toBe(0);
  expect(scrapeSpreadMs(Buffer.from('no time,\n"2025'))).toBe(0);
});
