import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "csv-parse/sync";
import { decimalAt } from "../../src/pipeline/source/bytes/fast-decimal.ts";
import { csvFields } from "../../src/pipeline/source/csv/csv-fields.ts";
import { quotedFields } from "../../src/pipeline/source/csv/quoted-fields.ts";
import { badUtf8, csvBytes, insertions, oneOf, readings } from "../support/arbitrary-csv.ts";
import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  exporterRow,
  openCsvSource,
  plain,
  rejectedOf,
  samplesOf,
} from "../support/csv-reading.ts";
import { propertyRuns } from "../support/property-runs.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

test("the fast lane gives the same batches as the slow lane, for any file and any size of chunks", async () => {
  await fc.assert(
    fc.asyncProperty(csvBytes, readings, async (bytes, { chunkBytes, ...options }) => {
      const path = folder.write(bytes);
      const slow = await batchesOf(await openCsvSource(path, { ...options, fastLane: false }));
      const fast = await batchesOf(await openCsvSource(path, { ...options, chunkBytes, fastLane: true }));
      expect(fast.map(plain)).toEqual(slow.map(plain));
    }),
    { numRuns: 400 },
  );
});

test("quotedFields splits a row as csv-parse does, or leaves it to csv-parse", () => {
  const cells = fc.array(fc.constantFrom("a", ",", "\n", "\r", '""', " ", "\u{FEFF}", "é"), { maxLength: 6 });
  const quoted = fc.array(cells).map((row) => row.map((pieces) => `"${pieces.join("")}"`).join(","));
  const other = fc
    .array(fc.constantFrom('"', '"', ",", "a", '""', '","'), { maxLength: 12 })
    .map((row) => row.join(""));
  let splits = 0;
  fc.assert(
    fc.property(fc.oneof(quoted, other), (row) => {
      const fields = quotedFields(row);
      if (fields === undefined) return;
      splits += 1;
      expect(csvFields(Buffer.from(row))).toEqual([fields]);
    }),
    { numRuns: 2000 },
  );
  expect(splits).toBeGreaterThan(500);
});

test("both lanes give the same batches for learnt rows in which bytes are replaced, inserted or removed at any place", async () => {
  // The row with index n is changed at byte n only. Each row has a GPU of its own, so that its changes do not affect the other
  // learnt rows. Each row occurs twice before the first change, because a row is learnt when its GPU occurs for the second time.
  const learnt = Array.from({ length: 400 }, (_, at) => Buffer.from(exporterRow({ uuid: `GPU-${1000 + at}` })));
  const lines = [...learnt, ...learnt];
  for (const [at, row] of learnt.entries()) {
    const [before, after] = [row.subarray(0, at), row.subarray(at)];
    lines.push(Buffer.concat([before, after.subarray(1)]), row);
    for (const extra of [...insertions, ...badUtf8, Buffer.from("0"), Buffer.from("\\"), Buffer.from("A")]) {
      lines.push(Buffer.concat([before, extra, after.subarray(1)]), Buffer.concat([before, extra, after]), row);
    }
  }
  expect(learnt[0]?.length).toBeLessThanOrEqual(learnt.length);
  const lineEnd = Buffer.from("\n");
  const path = folder.write(
    Buffer.concat([Buffer.from(`${exporterHeader}\n`), ...lines.flatMap((line) => [line, lineEnd])]),
  );
  const [slow, fast] = await Promise.all(
    [false, true].map(async (fastLane) => (await batchesOf(await openCsvSource(path, { fastLane }))).map(plain)),
  );
  expect(fast).toEqual(slow as unknown[]);
});

test('a text such as __name__="m1" inside the value of a label is a part of that value', async () => {
  const rowOf = (metric: string): string => exporterRow({ metric, labels: `a=x__name__="${metric}"` });
  const path = folder.write([exporterHeader, rowOf("m1"), rowOf("m2"), rowOf("m1"), rowOf("m2"), ""].join("\n"));
  const batches = await batchesOf(await openCsvSource(path, { batchRows: 1 }));
  const texts = batches.flatMap(({ batch }) => batch.gpus.map(({ properties }) => properties["a"]));
  expect(texts).toEqual(['x__name__="m1"', 'x__name__="m2"', 'x__name__="m1"', 'x__name__="m2"']);
});

test("decimalAt agrees with Number() on texts of 1 to 15 digits, a sign and a dot", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: 19 });
  fc.assert(
    fc.property(oneOf("", "-"), digits, oneOf("", "."), digits, (sign, whole, dot, fraction) => {
      const text = Buffer.from(`${sign}${whole}${dot}${fraction}`);
      const number = decimalAt(text, 0, text.length);
      if (number !== undefined) expect(number).toBe(Number(text.toString()));
      else expect(whole.length + fraction.length).not.toBeWithin(1, 16);
    }),
    { numRuns: propertyRuns(600) },
  );
});

test("a file read whole, or in two parts at any boundary, gives the same contiguous batches up to its end", async () => {
  await fc.assert(
    fc.asyncProperty(csvBytes, readings, fc.nat(), async (bytes, { chunkBytes, ...options }, pick) => {
      const path = folder.write(bytes);
      const source = await openCsvSource(path, { ...options, chunkBytes });
      const all = await batchesOf(source);
      const boundaries = [source.whole.from, ...all.map(({ range }) => range.to)];
      expect(all.map(({ range }) => range.from)).toEqual(boundaries.slice(0, -1));
      expect(boundaries.at(-1)?.offset).toBe(bytes.length);
      const boundary = boundaries[pick % boundaries.length] ?? source.whole.from;
      const before = await batchesOf(source, { to: boundary });
      const after = await batchesOf(await openCsvSource(path, options), { from: boundary });
      expect([...before, ...after].map(plain)).toEqual(all.map(plain));
    }),
    { numRuns: propertyRuns(50) },
  );
});

test("the sum of a batch's counts does not exceed its rows; a rejection has its line and at most 2,000 characters", async () => {
  await fc.assert(
    fc.asyncProperty(csvBytes, readings, async (bytes, options) => {
      const all = await batchesOf(await openCsvSource(folder.write(bytes), options));
      for (const { batch } of all) {
        const { samples, duplicates, conflicts, missing, rows } = batch.tally;
        expect(samples + duplicates + conflicts + missing + batch.rejected.length).toBeLessThanOrEqual(rows);
        const range = { sourceId: "", from: { offset: 0, line: 0 }, to: { offset: 0, line: 0 } };
        const values = samplesOf([{ batch, range }]).length;
        // a record with series of a metric has a plain value of it too, which may also have been in the input
        const folded = new Set(
          batch.custom.flatMap(({ record, metric }) =>
            metric.includes("{") ? [`${record} ${metric.split("{")[0]}`] : [],
          ),
        );
        expect(samples).toBeWithin(values - folded.size, values + 1);
      }
      for (const { line, byte, raw } of rejectedOf(all)) {
        expect(line).toBe(bytes.subarray(0, byte).toString("latin1").split("\n").length);
        expect(raw.length).toBeLessThanOrEqual(2000);
      }
    }),
    { numRuns: propertyRuns(30) },
  );
});

const wideHeader = ["timestamp", "gpu_id", "uuid", "hostname", "temperature", "note"];
const texts = fc.string({ unit: fc.constantFrom("a", "B", " ", ",", '"', "\n", "\r", "é", "5"), maxLength: 8 });

test("well-formed rows have the uuid and the value that csv-parse finds", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 20 }), readings, async (notes, options) => {
      const rowOf = (note: string, index: number): string =>
        `2025-07-18T20:42:34Z,${index},GPU-${index},h,${index},"${note.replaceAll('"', '""')}"`;
      const text = [wideHeader.join(","), ...notes.map(rowOf)].join("\n");
      const expected: string[][] = parse(text, { from_line: 2 });
      const samples = samplesOf(await batchesOf(await openCsvSource(folder.write(text), options)));
      // a note that is a number is a value of a metric outside the catalogue
      const ofCatalogue = samples.filter(({ metric }) => metric === "temperature");
      const found = ofCatalogue.map(({ uuid, value }) => [uuid, String(value)]);
      expect(found).toEqual(expected.map((fields) => [fields[2] ?? "", fields[4] ?? ""]));
    }),
    { numRuns: propertyRuns(30) },
  );
});
