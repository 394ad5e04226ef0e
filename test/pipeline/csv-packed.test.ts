import { afterAll, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import { exerciseReplayableSource } from "../contract/replayable-source.ts";
import { batchesOf, CsvFolder, manyRows, openCsvSource, plain, rejectedOf } from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const packers = [
  ["gzip", (bytes: Uint8Array): Buffer => gzipSync(bytes)],
  ["zstd", (bytes: Uint8Array): Buffer => zstdCompressSync(bytes)],
] as const;
const text = Buffer.from(manyRows(3000));
const never = new AbortController().signal;

/** The batches without the id of their source. */
function contentOf(batches: readonly RangeBatch[]): unknown[] {
  return batches.map(({ range: { from, to }, batch }) => plain({ range: { sourceId: "", from, to }, batch }));
}

describe.each(packers)("a file that is packed with %s", (packing, pack) => {
  exerciseReplayableSource(`CsvSource of a file packed with ${packing}`, async () => {
    const path = folder.write(pack(Buffer.from(manyRows(500))), `replayable.csv.${packing}`);
    const reopen = () => openCsvSource(path, { batchRows: 60, chunkBytes: 4096 });
    return { source: await reopen(), reopen, close: () => Promise.resolve() };
  });

  test("gives the batches of the file, at their places in its content, whatever its name is", async () => {
    const expected = contentOf(await batchesOf(await openCsvSource(folder.write(text, "plain.csv"))));
    const half = Math.floor(text.length / 2);
    const members = Buffer.concat([pack(text.subarray(0, half)), pack(text.subarray(half))]);
    for (const packed of [pack(text), members]) {
      for (const chunkBytes of [1000, 1024 * 1024]) {
        const source = await openCsvSource(folder.write(packed, "packed.csv"), { chunkBytes });
        expect(contentOf(await batchesOf(source))).toEqual(expected);
      }
    }
  });

  test("is read on from a place in the middle, by another process too, with the numbers of its lines", async () => {
    const rows = text.toString().replace(/"42"|"77"/g, '"x"');
    const path = folder.write(pack(Buffer.from(rows)), "middle.csv");
    const all = await batchesOf(await openCsvSource(path, { batchRows: 100 }));
    expect(rejectedOf(all).length).toBeGreaterThan(10);
    for (const start of [3, 17, 29]) {
      const from = all[start]?.range.from ?? { offset: 0, line: 0 };
      const rest = await batchesOf(await openCsvSource(path, { batchRows: 100 }), { from });
      expect(contentOf(rest)).toEqual(contentOf(all.slice(start)));
      const unknownLine = await batchesOf(await openCsvSource(path, { batchRows: 100 }), {
        from: { ...from, line: 0 },
      });
      expect(rejectedOf(unknownLine)).toEqual(rejectedOf(all.slice(start)));
    }
  });

  test("is read in ranges in any order, while they are still planned", async () => {
    const path = folder.write(pack(text), "ranges.csv");
    const source = await openCsvSource(path, { batchRows: 100, chunkBytes: 10_000 });
    const expected = contentOf(await batchesOf(source));
    const found: RangeBatch[][] = [];
    for await (const range of source.planRanges(source.whole.from, 100_000, never)) {
      found.unshift(await batchesOf(source, range));
    }
    expect(found.length).toBeGreaterThan(5);
    for (const batches of found) expect(batches[0]?.range.from.offset).toBeGreaterThan(0);
    const rows = (batches: readonly RangeBatch[]): number =>
      batches.reduce((sum, { batch }) => sum + batch.tally.rows, 0);
    expect(rows(found.flat())).toBe(3000);
    expect(contentOf(await batchesOf(source))).toEqual(expected);
  });

  test("is refused if it is cut off or damaged, before a row is read", async () => {
    const packed = pack(text);
    const damaged = Buffer.from(packed);
    for (let at = packed.length - 200; at < packed.length - 150; at += 1) damaged[at] = 0xff;
    const cuts = [packed.length - 1, packed.length - 9, Math.floor(packed.length / 2), 20];
    for (const content of [...cuts.map((end) => packed.subarray(0, end)), damaged]) {
      const path = folder.write(content, "damaged.csv");
      await expect(openCsvSource(path)).rejects.toThrow(
        new RegExp(
          `^${RegExp.escape(path)} is packed with ${packing} and is damaged or incomplete: after \\d+ unpacked bytes, .*start again when it has; otherwise copy it again\\.$`,
          "s",
        ),
      );
    }
  });

  test("with semicolons, sep=, CR alone and no end of its last line is read at once", async () => {
    const lines = ["sep=;", "timestamp;gpu_id;uuid;hostname;temperature", "2026-03-01T12:00:00Z;0;GPU-1;n;45,5"];
    const path = folder.write(pack(Buffer.from(lines.join("\r"))), "form.csv");
    const clock = new ManualClock();
    const batches = await batchesOf(await openCsvSource(path, { clock }));
    expect(batches.flatMap(({ batch }) => [...batch.columns.values()].map((values) => values[0]))).toEqual([45.5]);
    expect(batches.at(-1)?.range.to.offset).toBe(lines.join("\r").length);
    expect(statSync(path).size).toBeGreaterThan(0);
  });
});

test("an empty file that is packed is empty", async () => {
  for (const [, pack] of packers) {
    await expect(openCsvSource(folder.write(pack(Buffer.alloc(0))))).rejects.toThrow("is empty");
  }
});
