import { afterAll, expect, test } from "bun:test";
import { type CsvSource, originalTimes, type Playing } from "../../src/pipeline/source/csv/csv-source.ts";
import type { BegunRound } from "../../src/pipeline/source/csv/etcd-rounds.ts";
import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  exporterRow,
  fileIdOf,
  openCsvSource,
  plain,
} from "../support/csv-reading.ts";
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

/** Options to play a round of the file, and a list of the requests for the round's start. */
function sharedRound(round: number): { requests: unknown[]; playing: Playing } {
  const requests: unknown[] = [];
  const begin = (fileId: string, ofRound: number): Promise<BegunRound> => {
    requests.push([fileId, ofRound]);
    return Promise.resolve({ round: ofRound, startedAtMs: startMs + ofRound * 1000 });
  };
  return { requests, playing: { timestamps: "now", round, begin } };
}

test("processes that share a round's start play one source, regardless of when they start", async () => {
  const { requests, playing } = sharedRound(2);
  const clocks = [100, 7500].map((lateMs) => new ManualClock(startMs + 2000 + lateMs));
  const [first, second] = await Promise.all(clocks.map((clock) => openCsvSource(path, { playing, clock })));
  const fileId = await fileIdOf(path);
  expect(requests).toEqual([
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

test("the source of a file played with its own times has the file's id in round 0, and another id in round 1", async () => {
  const fileId = await fileIdOf(path);
  const source = await openCsvSource(path, { playing: originalTimes });
  expect(source.sourceId).toBe(fileId);
  expect(source.sourceId).toMatch(/^csv:input\.csv:[0-9a-f]{16}$/);
  const reopened = await openCsvSource(path, { playing: { timestamps: "original", round: 1 } });
  expect(reopened.sourceId).toBe(`${fileId}:round:1`);
});

test("the source is not opened if the round's start is unavailable", async () => {
  const begin = (): Promise<BegunRound> => Promise.reject(new Error("etcd does not answer"));
  const opening = openCsvSource(path, { playing: { timestamps: "now", round: 0, begin } });
  await expect(opening).rejects.toThrow("etcd does not answer");
});
