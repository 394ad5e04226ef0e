import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import { RecentTexts } from "../../src/pipeline/source/labels/recent-texts.ts";
import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  exporterRow,
  openCsvSource,
  rejectedOf,
  samplesOf,
} from "../support/csv-reading.ts";
import { propertyRuns } from "../support/property-runs.ts";

// Rows with the same cells are checked and parsed once.

const folder = new CsvFolder();
afterAll(() => folder.remove());

const choices: Readonly<Record<string, readonly string[]>> = {
  uuid: ["GPU-1", "GPU-2", " GPU-1", "N/A"],
  host: ["a", "b", ""],
  gpu: ["0", "1", "01", "x"],
  container: ["", "c", "N/A"],
  pod: ["", "c", "p"],
  namespace: ["", "p"],
  labels: ["", 'job="j"', 'exported_pod="p"', 'GPU_I_ID="3",GPU_I_PROFILE="1g.10gb"', 'xid="31"'],
};
const anyCells = fc.record(
  Object.fromEntries(Object.entries(choices).map(([name, texts]) => [name, fc.constantFrom(...texts)])),
);

/** What a file with one metric says, instant by instant. */
async function contentOf(rows: readonly string[]): Promise<unknown[]> {
  const source = await openCsvSource(folder.write([exporterHeader, ...rows, ""].join("\n")), { fastLane: false });
  const batches = await batchesOf(source);
  const records = batches.flatMap(({ batch: { gpus, gpuIndexes, occupants, occupantsIndexes, timesMs } }) =>
    [...timesMs].map((timeMs, record) => ({
      timeMs,
      gpu: gpus[gpuIndexes[record] ?? 0],
      occupants: occupants[occupantsIndexes[record] ?? 0],
    })),
  );
  const rejected = rejectedOf(batches).map(({ reason, field, value, raw }) => ({ reason, field, value, raw }));
  return [...records, ...samplesOf(batches), ...rejected].map((each) => JSON.stringify(each)).sort();
}

test("each row of a file says what it says alone, also after rows that differ from it in one cell", async () => {
  await fc.assert(
    fc.asyncProperty(anyCells, async (cells) => {
      const variants = Object.entries(choices).flatMap(([name, texts]) =>
        texts.map((text) => ({ ...cells, [name]: text })),
      );
      const rows = [...variants, ...variants].map((each, second) =>
        exporterRow({ ...each, timestamp: formatTimestamp(Date.UTC(2025, 6, 18) + second * 1000) }),
      );
      const alone: unknown[] = [];
      for (const row of rows) alone.push(...(await contentOf([row])));
      expect(await contentOf(rows)).toEqual(alone.sort());
    }),
    { numRuns: propertyRuns(8) },
  );
});

test("a text that is used again is kept when others are dropped, and the texts of two generations at most are kept", () => {
  const texts = new RecentTexts<{ readonly at: number }>(100);
  const name = (at: number): string => String(at).padStart(10, "0");
  for (let at = 0; at < 1000; at += 1) {
    texts.set(name(at), { at });
    expect(texts.get(name(0))).toEqual({ at: 0 });
  }
  const kept = Array.from({ length: 1000 }, (_, at) => texts.get(name(at))?.at).filter((at) => at !== undefined);
  expect(kept.length).toBeWithin(2, 21);
  texts.set("x".repeat(101), { at: -1 });
  expect(texts.get("x".repeat(101))).toBeUndefined();
  expect(texts.get(name(999))).toEqual({ at: 999 });
});
