import { afterAll, expect, test } from "bun:test";
import { CsvSource, type CsvSourceOptions } from "../../src/pipeline/source/csv/csv-source.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource, plain } from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const seconds = [34, 35, 39];
const path = folder.write(
  [exporterHeader, ...seconds.map((second) => exporterRow({ timestamp: `2025-07-18T20:42:${second}Z` })), ""].join(
    "\n",
  ),
);
const startMs = Date.UTC(2030, 0, 1);

/** The beginnings of rounds, and who asked for them. */
function sharedRounds(): { asked: unknown[]; roundStart: NonNullable<CsvSourceOptions["roundStart"]> } {
  const asked: unknown[] = [];
  return {
    asked,
    roundStart: (fileId, round) => {
      asked.push([fileId, round]);
      return Promise.resolve(startMs + round * 1000);
    },
  };
}

test("processes that agree on a round's beginning play one source, whenever each was started", async () => {
  const { asked, roundStart } = sharedRounds();
  const clocks = [100, 7500].map((lateMs) => new ManualClock(startMs + 2000 + lateMs));
  const [first, second] = await Promise.all(
    clocks.map((clock) => openCsvSource(path, { timestamps: "now", clock, round: 2, roundStart })),
  );
  const fileId = await CsvSource.fileId(path);
  expect(asked).toEqual([
    [fileId, 2],
    [fileId, 2],
  ]);
  expect(first?.sourceId).toBe(`${fileId}:now:${startMs + 2000}:2`);
  expect(second?.sourceId).toBe(first?.sourceId ?? "");
  await Promise.all(clocks.map((clock) => clock.advance(10_000)));
  const [ofFirst, ofSecond] = await Promise.all([first, second].map((source) => batchesOf(source as CsvSource)));
  expect(ofSecond?.map(plain)).toEqual(ofFirst?.map(plain) as unknown[]);
  expect([...(ofFirst?.[0]?.batch.timesMs ?? [])]).toEqual([2000, 3000, 7000].map((ms) => startMs + ms));
});

test("without an agreement a round begins now", async () => {
  const source = await openCsvSource(path, { timestamps: "now", clock: new ManualClock(startMs), round: 1 });
  expect(source.sourceId).toBe(`${await CsvSource.fileId(path)}:now:${startMs}:1`);
});

test("nobody is asked where the times stay as they are", async () => {
  const { asked, roundStart } = sharedRounds();
  const source = await openCsvSource(path, { timestamps: "original", roundStart });
  expect(source.sourceId).toBe(await CsvSource.fileId(path));
  expect(source.sourceId).toMatch(/^csv:input\.csv:[0-9a-f]{16}$/);
  expect(asked).toEqual([]);
});

test("where the agreement cannot be had, the source is not opened", async () => {
  const roundStart = (): Promise<number> => Promise.reject(new Error("nobody answers"));
  expect(openCsvSource(path, { timestamps: "now", roundStart })).rejects.toThrow("nobody answers");
});
