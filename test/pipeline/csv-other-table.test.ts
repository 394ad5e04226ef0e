import { afterAll, expect, test } from "bun:test";
import { appendFileSync } from "node:fs";
import type { Range } from "../../src/domain/range.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  exporterRow,
  openCsvSource,
  rejectedOf,
  samplesOf,
  tallyOf,
  type TestCsvOptions,
} from "../support/csv-reading.ts";

// A file in which another table begins: `cat a.csv b.csv`, or a log that is continued with another query. Its rows are refused, and no
// value is read as that of another column.

const folder = new CsvFolder();
afterAll(() => folder.remove());

const time = (second: number): string => new Date(Date.UTC(2026, 2, 1, 12, 0, second)).toISOString();
const lines = (...texts: string[]): string => `${texts.join("\n")}\n`;
const wideHeader = "timestamp,gpu_id,uuid,hostname,gpu_utilization,temperature";
const swappedHeader = "timestamp,gpu_id,uuid,hostname,temperature,gpu_utilization";
const wide = (second: number): string => `${time(second)},0,GPU-1,n1,91,46`;
const smiHeader = "timestamp, index, uuid, utilization.gpu [%], temperature.gpu";
const smi = (second: number): string => `2026/03/01 12:00:0${second}.000, 0, GPU-1, 91 %, 46`;
const influxHeader = ",result,table,_time,_value,_field,gpu_id,uuid,hostname";
const otherInfluxHeader = ",result,table,_time,_field,_value,uuid,gpu_id,hostname";
const exporterRows = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, row) => exporterRow({ timestamp: time(from + row), value: "42" }));
const exchanged = exporterHeader.replace("timestamp,metric_name,gpu_id,device", "timestamp,metric_name,device,gpu_id");

interface Case {
  readonly first: readonly string[];
  readonly second: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  "with two columns exchanged": { first: [wideHeader, wide(1)], second: [swappedHeader, wide(2), wide(3)] },
  "in the exporter's form, with two columns exchanged": {
    first: [exporterHeader, ...exporterRows(0, 3)],
    second: [exchanged, ...exporterRows(10, 3)],
  },
  "of nvidia-smi with another query": {
    first: [smiHeader, smi(1)],
    second: ["timestamp, index, uuid, temperature.gpu, utilization.gpu [%]", smi(2)],
  },
  "in Influx' annotated form": {
    first: [influxHeader, `,,0,${time(1)},91,gpu_utilization,0,GPU-1,n1`],
    second: ["", otherInfluxHeader, `,,1,${time(2)},temperature,46,GPU-1,0,n1`],
  },
  "with other names in the same places": {
    first: [wideHeader, wide(1)],
    second: ["Time,gpu,UUID,Hostname,temperature,power_draw", wide(2)],
  },
  "with more columns, then as many again": {
    first: [wideHeader, wide(1)],
    second: [`${wideHeader},power_draw`, wide(2)],
  },
  "whose first column is another one": {
    first: [wideHeader, wide(1)],
    second: ["uuid,gpu_id,timestamp,hostname,temperature,gpu_utilization", wide(2)],
  },
  "after the same header again": {
    first: [wideHeader, wide(1), `\u{FEFF}${wideHeader}`, wide(2), wideHeader, wide(3)],
    second: [`\u{FEFF}${swappedHeader}`, wide(4)],
  },
  "whose header is a comment": { first: [wideHeader, wide(1)], second: [`# ${swappedHeader}`, wide(2)] },
  "before the file's own header again": {
    first: [wideHeader, wide(1)],
    second: [swappedHeader, wide(2), wideHeader, wide(3)],
  },
};

async function inRanges(text: string, options: TestCsvOptions): Promise<RangeBatch[]> {
  const source = await openCsvSource(folder.write(text), options);
  const { signal } = new AbortController();
  const ranges = await Array.fromAsync<Range>(source.planRanges(source.whole.from, 60, signal));
  const batches: RangeBatch[] = [];
  // as other processes would read them: in any order
  for (const range of ranges.toReversed()) batches.unshift(...(await batchesOf(source, range)));
  return batches;
}

const forms: readonly (readonly [name: string, written: (text: string) => string])[] = [
  ["LF", (text) => text],
  ["CRLF", (text) => text.replaceAll("\n", "\r\n")],
  ["CR", (text) => text.replaceAll("\n", "\r")],
];

for (const [name, { first, second }] of Object.entries(cases)) {
  test(`a table ${name} is refused from its header on, however the file is read`, async () => {
    const [before, after] = [first, second.filter((line) => line !== "")];
    const expected = samplesOf(
      await batchesOf(await openCsvSource(folder.write(lines(...before)), { hostname: "n1" })),
    );
    expect(expected.length).toBeGreaterThan(0);
    for (const [form, written] of forms) {
      for (const fastLane of [true, false]) {
        const text = written(lines(...first, ...second));
        const batches = await inRanges(text, { fastLane, chunkBytes: 40, batchRows: 2, hostname: "n1" });
        const told = `${form} ${fastLane}`;
        expect([told, samplesOf(batches)]).toEqual([told, expected]);
        const line = first.length + second.indexOf(after[0] ?? "") + 1;
        expect(rejectedOf(batches).map(({ reason, message }) => [reason, message])).toEqual(
          after.map(() => [
            "other_header",
            `Line ${line} begins another table with other columns: split the file there, and read each part by itself; its rows are not read.`,
          ]),
        );
        expect(rejectedOf(batches).map((rejected) => rejected.line)).toEqual(after.map((_, row) => line + row));
      }
    }
  });
}

test("the log names the line of the other table when the file is opened", async () => {
  const warnings: string[] = [];
  const path = folder.write(lines(wideHeader, wide(1), swappedHeader, wide(2)));
  await openCsvSource(path, { onWarning: (message) => void warnings.push(message) });
  expect(warnings).toEqual([
    `${path}: Line 3 begins another table with other columns: split the file there, and read each part by itself`,
  ]);
});

test("a table that is appended later is found when the grown file is read", async () => {
  const path = folder.write(lines(wideHeader, wide(1)));
  expect(rejectedOf(await batchesOf(await openCsvSource(path)))).toEqual([]);
  appendFileSync(path, lines(swappedHeader, wide(2)));
  const grown = await batchesOf(await openCsvSource(path));
  expect(samplesOf(grown)).toHaveLength(2);
  expect(rejectedOf(grown).map(({ reason }) => reason)).toEqual(["other_header", "other_header"]);
});

test("a packed file is searched, too", async () => {
  const text = lines(wideHeader, wide(1), swappedHeader, wide(2));
  const batches = await batchesOf(await openCsvSource(folder.write(Bun.gzipSync(text), "input.csv.gz")));
  expect(rejectedOf(batches).map(({ line }) => line)).toEqual([3, 4]);
});

test("the own header again, and texts that look like names, begin no other table", async () => {
  const labelled = `${wideHeader},pod,note`;
  const row = (second: number, pod: string, note: string): string => `${wide(second)},${pod},${note}`;
  const text = lines(
    ...[labelled, row(1, "time", "uuid"), row(2, "timestamp", "timestamp"), labelled],
    ...[row(3, "runtime", `"a\n${swappedHeader}\nb"`), row(4, "time-1", "Time")],
  );
  const batches = await inRanges(text, { chunkBytes: 50 });
  expect(rejectedOf(batches)).toEqual([]);
  expect([tallyOf(batches, "rows"), tallyOf(batches, "repeatedHeaders")]).toEqual([4, 1]);
});
