import { afterAll, afterEach, expect, test } from "bun:test";
import { appendFileSync, truncateSync, utimesSync } from "node:fs";
import { UnusableSource } from "../../src/domain/errors.ts";
import type { Range } from "../../src/domain/range.ts";
import type { CsvSource } from "../../src/pipeline/source/csv/csv-source.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  exporterRow,
  openCsvSource,
  rejectedOf,
  samplesOf,
} from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";

const folder = new CsvFolder();
const readings: Reading[] = [];
afterEach(async () => {
  for (const reading of readings.splice(0)) {
    reading.stop.abort();
    await reading.ended;
  }
});
afterAll(() => folder.remove());

const wideHeader = "timestamp,gpu_id,uuid,hostname,temperature,power_draw";
const wideRow = (second: number, power: string): string => `2025-07-18T20:42:3${second}Z,0,GPU-0,h,30,${power}`;
const wideFile = [wideHeader, wideRow(4, "100"), wideRow(5, "400.5"), ""].join("\n");

/** A file that was written just now, and a reading of it on a clock that the test advances. */
class Reading {
  readonly batches: RangeBatch[] = [];
  readonly warnings: string[] = [];
  readonly stop = new AbortController();
  readonly clock = new ManualClock(Date.now());
  readonly path: string;
  ended: Promise<unknown> = Promise.resolve();
  hasEnded = false;

  constructor(content: string | Uint8Array, name = "growing.csv") {
    this.path = folder.write(content, name);
    utimesSync(this.path, new Date(), new Date());
    readings.push(this);
  }

  open(options: Parameters<typeof openCsvSource>[1] = {}): Promise<CsvSource> {
    const { clock, path, warnings } = this;
    return openCsvSource(path, { clock, onWarning: (message) => void warnings.push(message), ...options });
  }

  /** Begins to read, up to where the reading waits. */
  async begin(source: CsvSource, range?: Partial<Range>): Promise<this> {
    this.ended = (async () => {
      const read = source.read({ ...source.whole, ...range }, this.stop.signal);
      for await (const batch of read) this.batches.push(batch);
    })()
      .catch((error: unknown) => error)
      .finally(() => (this.hasEnded = true));
    await this.untilIdle();
    return this;
  }

  static async of(content: string | Uint8Array): Promise<Reading> {
    const reading = new Reading(content);
    return reading.begin(await reading.open());
  }

  append(text: string | Uint8Array): void {
    appendFileSync(this.path, text);
  }

  /** Advances the clock in steps, so that file operations between two sleeps can complete. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms && !this.hasEnded; passed += 250) {
      await this.untilIdle();
      await this.clock.advance(Math.min(250, ms - passed));
    }
    await this.untilIdle();
  }

  get values(): number[] {
    return samplesOf(this.batches).map(({ value }) => value);
  }

  private async untilIdle(): Promise<void> {
    while (!this.hasEnded && this.clock.sleeperCount === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test("a 400.5 of which only the 4 is written is not stored as 4; all rows before it are stored immediately", async () => {
  const reading = await Reading.of(wideFile.slice(0, -"00.5\n".length));
  expect(reading.values).toEqual([30, 100]);
  await reading.pass(9000);
  expect(reading.values).toEqual([30, 100]);
  reading.append("00.5\n");
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

test("a row whose rest arrives in pieces waits for its line end, however long that takes", async () => {
  const reading = await Reading.of(wideFile.slice(0, -"00.5\n".length));
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
  const reading = await Reading.of(wideFile.slice(0, -1));
  await reading.pass(9750);
  expect(reading.values).toEqual([30, 100]);
  expect(reading.warnings).toEqual([expect.stringMatching(/^Line 3 of .*growing\.csv has no line end.*10 s/)]);
  await reading.pass(500);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

test("a file without a final line end that was written long ago is stored immediately, without a warning", async () => {
  const warnings: string[] = [];
  const path = folder.write(wideFile.slice(0, -1));
  const source = await openCsvSource(path, { onWarning: (message) => void warnings.push(message) });
  const batches = await batchesOf(source);
  expect(samplesOf(batches).map(({ value }) => value)).toEqual([30, 100, 30, 400.5]);
  expect(batches.at(-1)?.range.to.offset).toBe(source.whole.to.offset);
  expect(warnings).toEqual([]);
});

test("a file that a program has written for a minute is not stored while the program's next block may come", async () => {
  const reading = new Reading(wideFile.slice(0, -"00.5\n".length));
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
  const reading = new Reading(wideFile.slice(0, -1));
  utimesSync(reading.path, new Date(), new Date(Date.now() + 3_600_000));
  await reading.begin(await reading.open());
  await reading.pass(119_000);
  expect(reading.values).toEqual([30, 100]);
  await reading.pass(1500);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100, 30, 400.5]);
});

test("a file that is written in place while it is watched is watched for another 10 s", async () => {
  const reading = await Reading.of(wideFile.slice(0, -1));
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
  ["a quoted value", wideHeader, wideRow(5, "400.5").replaceAll(/[^,]+/g, '"$&"')],
];

/** What a file gives for its GPUs: samples, attributes and rejections. */
function contentOf(batches: readonly RangeBatch[]): unknown {
  const gpus = batches.flatMap(({ batch }) => (batch.recordCount === 0 ? [] : batch.gpus));
  return { samples: samplesOf(batches), gpus, rejected: rejectedOf(batches) };
}

async function contentAfterCut(before: Uint8Array, after: Uint8Array): Promise<unknown> {
  const reading = await Reading.of(before);
  reading.append(after);
  await reading.pass(250);
  expect(await reading.ended).toBeUndefined();
  return contentOf(reading.batches);
}

test.each(endings)(
  "a row that ends in %s is read as in the finished file, wherever it was cut",
  async (_, header, row) => {
    const file = Buffer.from(`${header}\n${row}\n`);
    const whole = contentOf(await batchesOf(await openCsvSource(folder.write(file))));
    for (let cut = header.length + 2; cut < file.length; cut += 1) {
      const content = await contentAfterCut(file.subarray(0, cut), file.subarray(cut));
      expect([cut, content]).toEqual([cut, whole]);
    }
  },
);

test("of a row over two lines that was cut, nothing but the whole row is stored", async () => {
  const rows = [wideRow(5, "400.5"), `${wideRow(6, "7")},"note=""a\n${wideRow(7, "8")}"""`].join(',"n=1"\n');
  const file = Buffer.from(`${wideHeader},labels\n${rows}\n`);
  const { samples: whole } = contentOf(await batchesOf(await openCsvSource(folder.write(file)))) as {
    samples: unknown;
  };
  for (let cut = file.indexOf("a\n") + 2; cut < file.length; cut += 1) {
    const { samples } = (await contentAfterCut(file.subarray(0, cut), file.subarray(cut))) as { samples: unknown[] };
    expect([whole, (whole as unknown[]).slice(0, 2)]).toContainEqual(samples);
  }
});

test("a row of the exporter whose last quote is written is stored immediately", async () => {
  const reading = await Reading.of(`${exporterHeader}\n${exporterRow()}`);
  expect(reading.hasEnded).toBe(true);
  expect(reading.values).toEqual([42]);
  expect(reading.warnings).toEqual([]);
});

test("a row that is cut before its last column is not rejected while its writer may go on, and is rejected afterwards", async () => {
  const reading = await Reading.of(wideFile.slice(0, -",400.5\n".length));
  await reading.pass(9000);
  expect(rejectedOf(reading.batches)).toEqual([]);
  await reading.pass(1500);
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100]);
  expect(rejectedOf(reading.batches)).toMatchObject([{ line: 3, reason: "wrong_column_count" }]);
});

test("a stop during the wait leaves the row to the next start, which reads it from where the stored batches end", async () => {
  const reading = await Reading.of(wideFile.slice(0, -1));
  reading.stop.abort();
  expect(await reading.ended).toBeUndefined();
  expect(reading.values).toEqual([30, 100]);
  const from = reading.batches.at(-1)?.range.to;
  const next = new Reading(wideFile.slice(0, -1));
  const source = await next.open();
  expect(source.sourceId).toBe((await reading.open()).sourceId);
  await next.begin(source, from === undefined ? {} : { from });
  await next.pass(10_250);
  expect(next.values).toEqual([30, 400.5]);
});

test("of several streamers, only the reader of the last range waits, and its range ends where the plan says", async () => {
  const rows = Array.from({ length: 40 }, (_, second) => wideRow(second % 10, String(second)));
  const reading = new Reading([wideHeader, ...rows, wideRow(5, "4")].join("\n"));
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
  const reading = await Reading.of(wideFile.slice(0, -1));
  truncateSync(reading.path, 100);
  await reading.pass(250);
  expect(await reading.ended).toBeInstanceOf(UnusableSource);
  expect(reading.values).toEqual([30, 100]);
});

test("a file that is played as now, and one that is played again, wait for their last row in every round", async () => {
  for (const round of [0, 1]) {
    const reading = new Reading(wideFile.slice(0, -"00.5\n".length));
    const startedAtMs = () => Promise.resolve(reading.clock.nowMs() - 60_000);
    await reading.begin(await reading.open({ playing: { timestamps: "now", round, startedAtMs } }));
    expect(reading.values).toEqual([30, 100]);
    reading.append("00.5\n");
    await reading.pass(250);
    expect(await reading.ended).toBeUndefined();
    expect(reading.values).toEqual([30, 100, 30, 400.5]);
  }
});
