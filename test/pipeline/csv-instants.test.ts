import { afterAll, expect, test } from "bun:test";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
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
