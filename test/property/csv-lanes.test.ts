import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "csv-parse/sync";
import { decimalAt } from "../../src/pipeline/source/csv/fast-decimal.ts";
import type { SourceBatch } from "../../src/pipeline/source/source.ts";
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

const folder = new CsvFolder();
afterAll(() => folder.remove());

const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);

const gpus = [
  { gpu: "0", uuid: "GPU-0", host: "host-1" },
  { gpu: "1", uuid: "GPU-1", host: "host-1", pod: "pod-a", namespace: "ml" },
  { gpu: "0", uuid: "GPU-2", host: "host-2" },
];

/** Rows that meet again and again, so that most of them take the fast lane. */
const usualRows = fc
  .record({
    gpu: fc.constantFrom(...gpus),
    timestamp: oneOf("2025-07-18T20:42:34Z", "2025-07-18T20:42:35.250Z"),
    metric: oneOf("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_POWER_USAGE"),
    value: oneOf("0", "42", "73.136", "99"),
  })
  .map(({ gpu, ...cells }) => exporterRow({ ...gpu, ...cells }));

const oddRows = fc
  .record({
    timestamp: oneOf("2025-07-18T20:42:34Z", "1752871354", " 2025-07-18T20:42:34Z", "soon", ""),
    metric: oneOf("DCGM_FI_DEV_GPU_UTIL", "temperature", "my_metric", "DCGM_FI_DEV_SERIAL", "DCGM_FI_DEV_DEC_UTIL "),
    gpu: fc.constantFrom(...gpus, { gpu: "x", uuid: "GPU-3", host: "" }, { gpu: "1", uuid: "GPU-0", host: "host-2" }),
    value: fc.oneof(
      oneOf("-0", "-", ".", "1e2", "", "N/A", "101", "2147483632", " 7", "x", ".5", "5.", "12.345678901234567"),
      fc.double({ min: 0, max: 100, noNaN: true }).map(String),
    ),
    labels: fc.option(
      oneOf(
        'a="1",__name__="DCGM_FI_DEV_GPU_UTIL"',
        'a="x\\",__name__=\\"temperature\\"",__name__="temperature"',
        "a=1;b=2",
        "",
        'a="é"',
      ),
      { nil: undefined, freq: 2 },
    ),
  })
  .map(({ labels, gpu, ...cells }) => exporterRow({ ...gpu, ...cells, ...(labels === undefined ? {} : { labels }) }));

const lines = fc.oneof(
  { weight: 20, arbitrary: usualRows },
  { weight: 4, arbitrary: oddRows },
  {
    weight: 1,
    arbitrary: oneOf("", "  ", exporterHeader, "a,b", '"open', '"a"b,c', 'x","y', exporterRow().replace("42", "4\n2")),
  },
  { weight: 1, arbitrary: usualRows.map((row) => row.replaceAll('"', "")) },
  { weight: 1, arbitrary: usualRows.map((row) => row.replace(/"([^",]+)"/, "$1")) },
);

const files = fc
  .array(fc.tuple(lines, fc.constantFrom("\n", "\n", "\n", "\r\n")), { minLength: 30, maxLength: 60 })
  .map((parts) => Buffer.from(`${exporterHeader}\n${parts.map((part) => part.join("")).join("")}`));

const insertions = ['"', "\n", "\r", "\0", ",", '""', '"\n"', "\u{feff}", "\r\n"].map((text) => Buffer.from(text));
const badUtf8 = [Buffer.from([0xff]), Buffer.from([0xc3]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xa0])];

type Mutation = (bytes: Buffer) => Buffer;
const places = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(places, fc.integer({ min: 0, max: 7 })).map(([place, bit]): Mutation => (bytes) => {
    const flipped = Buffer.from(bytes);
    const at = bodyAt(bytes, place);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
    return flipped;
  }),
  fc.tuple(places, fc.constantFrom(...insertions, ...badUtf8)).map(([place, extra]): Mutation => (bytes) => {
    const at = bodyAt(bytes, place);
    return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
  }),
  places.map(
    (place): Mutation =>
      (bytes) =>
        bytes.subarray(0, bodyAt(bytes, place)),
  ),
  fc.tuple(places, fc.integer({ min: 1, max: 30 })).map(([place, count]): Mutation => (bytes) => {
    const at = bodyAt(bytes, place);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
  }),
);

/** A place after the header: a broken header is another test's matter. */
function bodyAt(bytes: Buffer, place: number): number {
  const start = exporterHeader.length + 1;
  return start + Math.floor(place * Math.max(0, bytes.length - start));
}

const mutated = fc
  .tuple(files, fc.array(mutations, { maxLength: 12 }))
  .map(([file, changes]) => changes.reduce<Buffer>((bytes, change) => change(bytes), file));

const readings = fc.record({
  batchSize: fc.integer({ min: 1, max: 12 }),
  chunkBytes: fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 20, max: 60 }) },
    { weight: 9, arbitrary: fc.integer({ min: 300, max: 4000 }) },
    { weight: 9, arbitrary: fc.constant(1 << 20) },
  ),
});

test("the fast lane gives exactly what the slow lane gives, whatever the bytes and the chunks", async () => {
  await fc.assert(
    fc.asyncProperty(mutated, readings, async (bytes, { batchSize, chunkBytes }) => {
      const path = folder.write(bytes);
      const slow = await batchesOf(await openCsvSource(path, { batchSize, fastLane: false }));
      const fast = await batchesOf(await openCsvSource(path, { batchSize, chunkBytes, fastLane: true }));
      expect(fast.map(plain)).toEqual(slow.map(plain));
    }),
    { numRuns: 400 },
  );
});

test("a known row with any byte replaced, inserted or left out is read as the slow lane reads it", async () => {
  // a GPU for each place, all known before the first is changed: what is learnt from one does not help another
  const known = Array.from({ length: 400 }, (_, at) => Buffer.from(exporterRow({ uuid: `GPU-${1000 + at}` })));
  const lines = [...known, ...known];
  for (const [at, row] of known.entries()) {
    const [before, after] = [row.subarray(0, at), row.subarray(at)];
    lines.push(Buffer.concat([before, after.subarray(1)]), row);
    for (const extra of [...insertions, ...badUtf8, Buffer.from("0"), Buffer.from("\\"), Buffer.from("A")]) {
      lines.push(Buffer.concat([before, extra, after.subarray(1)]), Buffer.concat([before, extra, after]), row);
    }
  }
  expect(known[0]?.length).toBeLessThanOrEqual(known.length);
  const lineEnd = Buffer.from("\n");
  const path = folder.write(
    Buffer.concat([Buffer.from(`${exporterHeader}\n`), ...lines.flatMap((line) => [line, lineEnd])]),
  );
  const [slow, fast] = await Promise.all(
    [false, true].map(async (fastLane) => (await batchesOf(await openCsvSource(path, { fastLane }))).map(plain)),
  );
  expect(fast).toEqual(slow as unknown[]);
});

test("a metric's name inside another label belongs to that label", async () => {
  const rowOf = (metric: string): string => exporterRow({ metric, labels: `a=x__name__="${metric}"` });
  const path = folder.write([exporterHeader, rowOf("m1"), rowOf("m2"), rowOf("m1"), rowOf("m2"), ""].join("\n"));
  const batches = await batchesOf(await openCsvSource(path, { batchSize: 1 }));
  const texts = batches.flatMap(({ batch }) => batch.gpus.map(({ properties }) => properties["a"]));
  expect(texts).toEqual(['x__name__="m1"', 'x__name__="m2"', 'x__name__="m1"', 'x__name__="m2"']);
});

test("a number is read from its bytes as Number() reads it, or left to it", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: 19 });
  fc.assert(
    fc.property(oneOf("", "-"), digits, oneOf("", "."), digits, (sign, whole, dot, fraction) => {
      const text = Buffer.from(`${sign}${whole}${dot}${fraction}`);
      const number = decimalAt(text, 0, text.length);
      if (number !== undefined) expect(number).toBe(Number(text.toString()) + 0);
      else expect(whole.length + fraction.length).not.toBeWithin(1, 16);
    }),
    { numRuns: 2000 },
  );
});

test("batches touch, cover the file, and reading on from any boundary gives the rest", async () => {
  await fc.assert(
    fc.asyncProperty(mutated, readings, fc.nat(), async (bytes, { batchSize, chunkBytes }, pick) => {
      const path = folder.write(bytes);
      const source = await openCsvSource(path, { batchSize, chunkBytes });
      const all = await batchesOf(source);
      const boundaries = [source.start, ...all.map(({ range }) => range.to)];
      expect(all.map(({ range }) => range.from)).toEqual(boundaries.slice(0, -1));
      expect(boundaries.at(-1)?.offset).toBe(bytes.length);
      const boundary = boundaries[pick % boundaries.length] ?? source.start;
      const before = await batchesOf(source, { toOffset: boundary.offset });
      const after = await batchesOf(await openCsvSource(path, { batchSize }), { from: boundary });
      expect([...before, ...after].map(plain)).toEqual(all.map(plain));
    }),
    { numRuns: 150 },
  );
});

test("cut into ranges of any size, the ranges read one by one give the rows of the whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      mutated,
      readings,
      fc.integer({ min: 1, max: 3000 }),
      async (bytes, { chunkBytes }, rangeBytes) => {
        const path = folder.write(bytes);
        // a batch a row: what is merged within a batch would depend on where the ranges end
        const source = await openCsvSource(path, { batchSize: 1, chunkBytes });
        const whole = await batchesOf(source);
        const cuts = await Array.fromAsync(source.cut(source.start, rangeBytes, never));
        const starts: unknown[] = [source.start, ...cuts.map(({ to }) => to)];
        expect(cuts.map(({ from }) => from)).toEqual(starts.slice(0, cuts.length) as (typeof source.start)[]);
        expect(cuts.at(-1)?.to?.offset ?? source.start.offset).toBe(bytes.length);
        const parts: SourceBatch[] = [];
        for (const { from, to } of cuts)
          parts.push(...(await batchesOf(source, { from, toOffset: to?.offset ?? NaN })));
        expect(samplesOf(parts)).toEqual(samplesOf(whole));
        expect(rejectedOf(parts)).toEqual(rejectedOf(whole));
        expect(tallySums(parts)).toEqual(tallySums(whole));
      },
    ),
    { numRuns: 300 },
  );
});

const never = new AbortController().signal;

function tallySums(batches: readonly SourceBatch[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { batch } of batches) {
    for (const [name, count] of Object.entries(batch.tally)) sums[name] = (sums[name] ?? 0) + (count as number);
  }
  return sums;
}

test("every line is read, rejected, blank or a repeated header: none is lost", async () => {
  await fc.assert(
    fc.asyncProperty(mutated, readings, async (bytes, options) => {
      const all = await batchesOf(await openCsvSource(folder.write(bytes), options));
      for (const { batch } of all) {
        const used = batch.tally.samples + batch.tally.duplicates + batch.tally.missing + batch.rejected.length;
        expect(used).toBeLessThanOrEqual(batch.tally.rows);
        expect(
          samplesOf([{ batch, range: { sourceId: "", from: { offset: 0, line: 0 }, to: { offset: 0, line: 0 } } }]),
        ).toHaveLength(batch.tally.samples);
      }
      for (const { line, byte, raw } of rejectedOf(all)) {
        expect(line).toBe(bytes.subarray(0, byte).toString("latin1").split("\n").length);
        expect(raw.length).toBeLessThanOrEqual(2000);
      }
    }),
    { numRuns: 100 },
  );
});

const wideHeader = ["timestamp", "gpu_id", "uuid", "hostname", "temperature", "note"];
const texts = fc.string({ unit: fc.constantFrom("a", "B", " ", ",", '"', "\n", "\r", "é", "5"), maxLength: 8 });

test("well-formed rows have the fields that csv-parse finds in the whole text", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 20 }), readings, async (notes, options) => {
      const rowOf = (note: string, index: number): string =>
        `2025-07-18T20:42:34Z,${index},GPU-${index},h,${index},"${note.replaceAll('"', '""')}"`;
      const text = [wideHeader.join(","), ...notes.map(rowOf)].join("\n");
      const expected: string[][] = parse(text, { from_line: 2 });
      const samples = samplesOf(await batchesOf(await openCsvSource(folder.write(text), options)));
      const found = samples.map(({ uuid, value }) => [uuid, String(value)]);
      expect(found).toEqual(expected.map((fields) => [fields[2] ?? "", fields[4] ?? ""]));
    }),
    { numRuns: 100 },
  );
});
