import { afterAll, afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import { csvBytes, readings } from "../support/arbitrary-csv.ts";
import { batchesOf, openCsvSource, rejectedOf, tallyOf, type TestCsvOptions } from "../support/csv-reading.ts";
import { GrowingFiles } from "../support/growing-csv.ts";
import { mergedRecords } from "../support/merged-records.ts";

const files = new GrowingFiles();
afterEach(() => files.stop());
afterAll(() => files.remove());

/** The timeout of a test that reads hundreds of files. */
const timeoutMs = 120_000;

/** What a file gives for its records, and its rejected rows, without what depends on the ends of batches: a row that waits is not
 *  in one batch with the rows before it. */
function contentOf(batches: readonly RangeBatch[]): unknown {
  const rejected = rejectedOf(batches).filter(({ reason }) => reason !== "uuid_on_two_hosts");
  const records = [...mergedRecords(batches.map(({ batch }) => batch))].sort(([a], [b]) => (a < b ? -1 : 1));
  return { records, rejected, rows: tallyOf(batches, "rows") };
}

/** Reads a file that ends at the first of `cuts`, and grows to the others in order. */
async function readGrowing(file: Buffer, cuts: readonly number[], options: TestCsvOptions): Promise<unknown> {
  const [first = 0, ...rest] = [...cuts, file.length];
  const reading = await files.read(file.subarray(0, first), options);
  let from = first;
  for (const to of rest) {
    if (to > from) reading.append(file.subarray(from, to));
    from = to;
    await reading.pass(250);
  }
  await reading.pass(20_000);
  expect(await reading.ended).toBeUndefined();
  await files.stop();
  return contentOf(reading.batches);
}

/** The rows that start before `cut`, read from the finished file. */
async function rowsBefore(file: Buffer, cut: number, options: TestCsvOptions): Promise<unknown> {
  const source = await openCsvSource(files.finished(file), options);
  return contentOf(await batchesOf(source, { to: { offset: cut, line: 0 } }));
}

const header = "timestamp,gpu_id,uuid,hostname,temperature,power_draw,note,pod";
const row = (second: number, rest: string): string => `2025-07-18T20:42:3${second}Z,0,GPU-0,h,30,${rest}`;
const rows = [
  row(4, "100,x,p"),
  row(5, '400.5,"a~b","po""d"'),
  row(6, '1.25e+2,"~""~""","p~"'),
  row(7, '"7.5",a""b,p\r'),
  `"open${row(8, "8,,")}`,
  row(9, '9,"x"y,p'),
];
const lineEnds = { LF: "\n", CRLF: "\r\n", "CR in quotes and LF": "\n" };

for (const [name, lineEnd] of Object.entries(lineEnds)) {
  test.each([
    ["without a BOM", ""],
    ["with a BOM", "\u{feff}"],
  ])(
    `at whatever byte a file ends now, its rows are read as in the finished file: ${name}, %s`,
    async (_, mark) => {
      const inQuotes = name.startsWith("CR in") ? "\r" : lineEnd;
      const text = rows.map((each) => each.replaceAll("~", inQuotes) + lineEnd).join("");
      const file = Buffer.from(`${mark}${header}${lineEnd}${text}`);
      for (let cut = file.indexOf(row(4, "")); cut < file.length; cut += 1) {
        expect([cut, await readGrowing(file, [cut], {})]).toEqual([cut, await rowsBefore(file, cut, {})]);
      }
    },
    timeoutMs,
  );
}

/** A share of the file, and how far past the next line end the file is cut; undefined: it is cut right there. */
const cutPlaces = fc.array(
  fc.record({
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    past: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 3 },
);

test(
  "at whatever byte a file of the exporter ends now, its rows are read as in the finished file, on both lanes",
  async () => {
    await fc.assert(
      fc.asyncProperty(csvBytes, readings, fc.boolean(), cutPlaces, async (file, sizes, fastLane, places) => {
        const options = { ...sizes, fastLane };
        const start = file.indexOf("\n") + 1;
        const cuts = places.map(({ share, past }) => {
          const at = start + Math.floor(share * (file.length - start));
          return past === undefined ? at : Math.min(file.length, Math.max(at, file.indexOf("\n", at)) + 1 + past);
        });
        const [first = start] = cuts.sort((a, b) => a - b);
        expect(await readGrowing(file, cuts, options)).toEqual(await rowsBefore(file, first, options));
      }),
      { numRuns: 200 },
    );
  },
  timeoutMs,
);
