import { afterAll, afterEach, expect, test } from "bun:test";
import { truncateSync, utimesSync } from "node:fs";
import { UnusableSource } from "../../src/domain/errors.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import {
  batchesOf,
  exporterHeader,
  exporterRow,
  openCsvSource,
  playedNow,
  rejectedOf,
  samplesOf,
} from "../support/csv-reading.ts";
import { GrowingFiles } from "../support/growing-csv.ts";

const files = new GrowingFiles();
afterEach(() => files.stop());
afterAll(() => files.remove());

const wideHeader = "timestamp,gpu_id,uuid,hostname,temperature,power_draw";
const wideRow = (second: number, power: string): string => `2025-07-18T20:42:3${second}Z,0,GPU-0,h,30,${power}`;
const wideFile = [wideHeader, wideRow(4, "100"), wideRow(5, "400.5"), ""].join("\n");

test("a 400.5 of which only the 4 is written is not stored as 4; all rows before it are stored immediately", async () => {
  const reading = await files.read(wideFile.slice(0, -"00.5\n".length));
  expect(reading.values).toEqual([30, 100]);
  await reading.pass(9000);
  expect(reading.values).toEqual([30, 100]);
  reading.append("00.5\n");
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

test("a row whose rest arrives in pieces waits for its line end, however long that takes", async () => {
  const reading = await files.read(wideFile.slice(0, -"00.5\n".length));
  for (const piece of ["0", "0", ".", "5"]) {
    await reading.pass(8000);
    reading.append(piece);
    await reading.pass(250);
    expect(reading.values).toEqual([30, 100]);
  }
  reading.append("\nnext row,that is not");
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
  expect(rejectedOf(reading.batches)).toEqual([]);
});

test("a file that never gets a line end is stored whole once it has not changed for 10 s, and the waiting line is named", async () => {
  const reading = await files.read(wideFile.slice(0, -1));
  await reading.pass(9750);
  expect(reading.values).toEqual([30, 100]);
  expect(reading.warnings).toEqual([expect.stringMatching(/growing\.csv ends within the row at line 3: .*10 s/)]);
  await reading.pass(500);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

test("a file without a final line end that was written long ago is stored immediately, without a warning", async () => {
  const warnings: string[] = [];
  const path = files.finished(wideFile.slice(0, -1));
  const source = await openCsvSource(path, { onWarning: (message) => void warnings.push(message) });
  const batches = await batchesOf(source);
  expect(samplesOf(batches).map(({ value }) => value)).toEqual([30, 100, 30, 400.5]);
  expect(batches.at(-1)?.range.to.offset).toBe(source.whole.to.offset);
  expect(warnings).toEqual([]);
});

test("a file that a program has written for a minute is not stored while the program's next block may come", async () => {
  const reading = files.write(wideFile.slice(0, -"00.5\n".length));
  utimesSync(reading.path, new Date(), new Date(Date.now() + 60_000));
  await reading.clock.advance(90_000);
  await reading.begin(await reading.open());
  await reading.pass(59_000);
  expect(reading.values).toEqual([30, 100]);
  expect(reading.warnings).toEqual([expect.stringContaining(" 60 s;")]);
  reading.append("00.5\n");
  await reading.pass(250);
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

test("a file whose time is in the future, as a server's clock may be, is stored once it has not changed for 2 minutes", async () => {
  const reading = files.write(wideFile.slice(0, -1));
  utimesSync(reading.path, new Date(), new Date(Date.now() + 3_600_000));
  await reading.begin(await reading.open());
  await reading.pass(119_000);
  expect(reading.values).toEqual([30, 100]);
  await reading.pass(1500);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

test("a file that is written in place while it is watched is watched for another 10 s", async () => {
  const reading = await files.read(wideFile.slice(0, -1));
  await reading.pass(9000);
  utimesSync(reading.path, new Date(), new Date(Date.now() + 1000));
  await reading.pass(9000);
  expect(reading.values).toEqual([30, 100]);
  await reading.pass(1500);
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

const endings: readonly (readonly [name: string, header: string, row: string])[] = [
  ["a value", wideHeader, wideRow(5, "1.25e+2")],
  ["a uuid", "timestamp,gpu_id,hostname,temperature,uuid", "2025-07-18T20:42:35Z,0,h,30,GPU-12"],
  ["a time", "gpu_id,uuid,hostname,temperature,timestamp", "0,GPU-0,h,30,2025-07-18T20:42:35.250Z"],
  ["a host", "timestamp,gpu_id,uuid,temperature,hostname", "2025-07-18T20:42:35Z,0,GPU-0,30,host-é12"],
  ["labels", exporterHeader, exporterRow({ labels: 'instance="h:9400",job="",UUID="GPU-0",note="x=,"' })],
  ["labels and CRLF", exporterHeader, `${exporterRow()}\r`],
  ["labels with an escaped quote", exporterHeader, exporterRow({ labels: 'instance="h:9400",note="x\\"y"' })],
  ["a quoted value", wideHeader, wideRow(5, "400.5").replaceAll(/[^,]+/g, '"$&"')],
  ["a pod with a quote", `${wideHeader},pod`, `${wideRow(5, "400.5")},"po""d"`],
  ["a pod with a line end", `${wideHeader},pod`, `${wideRow(5, "400.5")},"po\nd"`],
  ["a pod after a cell with line ends", `${wideHeader},note,pod`, `${wideRow(5, "400.5")},"a\n\r\n""b""\n",pod`],
  ["quotes and CRLF", `${wideHeader},note,pod`, `${wideRow(5, "400.5")},"a\r\nb","pod"\r`],
];

/** What a file gives for its GPUs: samples, attributes, occupants and rejections. */
function contentOf(batches: readonly RangeBatch[]): unknown {
  const withRecords = batches.filter(({ batch }) => batch.recordCount > 0);
  const gpus = withRecords.flatMap(({ batch }) => batch.gpus);
  const occupants = withRecords.flatMap(({ batch }) => batch.occupants);
  return { samples: samplesOf(batches), gpus, occupants, rejected: rejectedOf(batches) };
}

async function contentAfterCut(before: Uint8Array, after: Uint8Array): Promise<unknown> {
  const reading = await files.read(before);
  reading.append(after);
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  return contentOf(reading.batches);
}

test.each(endings)(
  "a row that ends in %s is read as in the finished file, wherever it was cut",
  async (_, header, row) => {
    const file = Buffer.from(`${header}\n${row}\n`);
    const whole = contentOf(await batchesOf(await openCsvSource(files.finished(file))));
    for (let cut = header.length + 2; cut < file.length; cut += 1) {
      const content = await contentAfterCut(file.subarray(0, cut), file.subarray(cut));
      expect([cut, content]).toEqual([cut, whole]);
    }
  },
);

/** A row over three lines, and one whose last cell has quotes. */
const quotedRows = [`${wideRow(5, "400.5")},"a\n""b"\n`, `${wideRow(6, "7")},"note=""a\n${wideRow(7, "8")},x\n"""\n`];

test("a row with a line end inside quotes is not rejected while its writer may close them", async () => {
  const reading = await files.read(`${wideHeader},note\n${wideRow(5, "400.5")},"a\n`);
  await reading.pass(9000);
  expect(rejectedOf(reading.batches)).toEqual([]);
  expect(reading.warnings).toEqual([expect.stringContaining("growing.csv ends within the row at line 2: ")]);
  reading.append('b"\n');
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  expect(contentOf(reading.batches)).toMatchObject({ samples: [{ value: 30 }, { value: 400.5 }], rejected: [] });
});

test("a quote that is never closed rejects its line once the file has not changed for 10 s; the next lines are read", async () => {
  const reading = await files.read(`${wideHeader}\n"${wideRow(5, "400.5")}\n${wideRow(6, "7")}\n`);
  await reading.pass(9750);
  expect(reading.batches).toEqual([]);
  await reading.pass(500);
  expect(await reading.ended).toBeUndefined();
  expect(rejectedOf(reading.batches)).toMatchObject([{ line: 2, reason: "malformed_quotes" }]);
  expect(reading.values).toEqual([30, 7]);
});

test("no range begins inside a row whose quotes may be closed in bytes that are written later", async () => {
  const file = Buffer.from(`${wideHeader},note\n${quotedRows.join("")}`);
  const finished = await openCsvSource(files.finished(file));
  for (let cut = wideHeader.length + 7; cut < file.length; cut += 1) {
    const reading = files.write(file.subarray(0, cut));
    const source = await reading.open();
    const ranges = await Array.fromAsync(source.planRanges(source.whole.from, 1, reading.stop.signal));
    reading.append(file.subarray(cut));
    const read: RangeBatch[] = [];
    for (const range of ranges) read.push(...(await batchesOf(source, range)));
    const expected = await batchesOf(finished, { to: { offset: cut, line: 0 } });
    expect([cut, samplesOf(read), rejectedOf(read)]).toEqual([cut, samplesOf(expected), []]);
  }
});

test("a row of the greatest length is not too large while only the CR of its line end is written", async () => {
  for (const row of [wideRow(5, "400.5"), wideRow(5, '"400.5"')]) {
    const options = { rowMaxBytes: Math.max(row.length, wideHeader.length) };
    const longest = row.replace(",h,", `,${"h".repeat(options.rowMaxBytes - row.length + 1)},`);
    const reading = await files.read(`${wideHeader}\r\n${longest}\r`, options);
    reading.append("\n");
    await reading.pass(250);
    expect(await reading.ended).toBeUndefined();
    expect(reading.values).toEqual([30, 400.5]);
  }
});

test("a time of which only the beginning is written does not shift the times of a file that is played as now", async () => {
  const reading = files.write("gpu_id,uuid,hostname,temperature,timestamp\n0,GPU-0,h,30,2025-07-18T20:42:34");
  const startedAtMs = reading.clock.nowMs() - 60_000;
  await reading.begin(await reading.open({ playing: playedNow(startedAtMs) }));
  reading.append("+02:00\n");
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  expect(samplesOf(reading.batches).map(({ timeMs }) => timeMs)).toEqual([1752864154000]);
});

test("a row whose last quote is written waits, because a second quote may follow", async () => {
  const row = exporterRow({ labels: 'note="x\\"y"' });
  const reading = await files.read(`${exporterHeader}\n${row.slice(0, row.indexOf('"y') + 3)}`);
  expect(reading.batches).toEqual([]);
});

test("a row that is cut before its last column is not rejected while its writer may go on, and is rejected afterwards", async () => {
  const reading = await files.read(wideFile.slice(0, -",400.5\n".length));
  await reading.pass(9000);
  expect(rejectedOf(reading.batches)).toEqual([]);
  await reading.pass(1500);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100]);
  expect(rejectedOf(reading.batches)).toMatchObject([{ line: 3, reason: "wrong_column_count" }]);
});

test("a stop during the wait leaves the row to the next start, which reads it from where the stored batches end", async () => {
  const reading = await files.read(wideFile.slice(0, -1));
  reading.stop.abort();
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100]);
  const from = reading.batches.at(-1)?.range.to;
  const next = files.write(wideFile.slice(0, -1));
  const source = await next.open();
  expect(source.sourceId).toBe((await reading.open()).sourceId);
  await next.begin(source, from === undefined ? {} : { from });
  await next.pass(10_250);
  expect(next.values).toEqual([30, 400.5]);
});

test("of several streamers, only the reader of the last range waits, and its range ends where the plan says", async () => {
  const rows = Array.from({ length: 40 }, (_, second) => wideRow(second % 10, String(second)));
  const reading = files.write([wideHeader, ...rows, wideRow(5, "4")].join("\n"));
  const source = await reading.open();
  const ranges = await Array.fromAsync(source.planRanges(source.whole.from, 500, reading.stop.signal));
  const last = ranges.pop();
  for (const range of ranges) await batchesOf(source, range);
  expect(reading.warnings).toEqual([]);
  await reading.begin(source, last);
  expect(reading.hasEnded).toBe(false);
  reading.append("00.5\nnot read");
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values.at(-1)).toBe(400.5);
  expect(reading.batches.at(-1)?.range.to.offset).toBe(last?.to.offset as number);
});

test("a file that is shortened during the wait ends the reading with an error", async () => {
  const reading = await files.read(wideFile.slice(0, -1));
  truncateSync(reading.path, 100);
  await reading.pass(250);
  expect(await reading.ended).toBeInstanceOf(UnusableSource);
  expect(reading.values).toEqual([30, 100]);
});

test("a file that is played as now, and one that is played again, wait for their last row in every round", async () => {
  for (const round of [0, 1]) {
    const reading = files.write(wideFile.slice(0, -"00.5\n".length));
    const startedAtMs = reading.clock.nowMs() - 60_000;
    await reading.begin(await reading.open({ playing: playedNow(startedAtMs, round) }));
    expect(reading.values).toEqual([30, 100]);
    reading.append("00.5\n");
    await reading.pass(250);
    expect(await reading.ended).toBeUndefined();
    expect(reading.values).toEqual([30, 100, 30, 400.5]);
  }
});
