import { afterAll, expect, test } from "bun:test";
import { appendFileSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { UnusableSource } from "../../src/domain/errors.ts";
import { defaultRowMaxBytes } from "../../src/pipeline/source/csv/row-splitter.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import { exerciseReplayableSource } from "../contract/replayable-source.ts";
import {
  batchesOf,
  CsvFolder,
  exporterHeader,
  exporterRow,
  manyRows,
  openCsvSource,
  plain,
  playedNow,
  rejectedOf,
  samplesOf,
  tallyOf,
} from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const wideHeader = "timestamp,gpu_id,uuid,hostname,temperature,power_draw";
const time = "2025-07-18T20:42:34Z";

function exporterFile(...rows: string[]): string {
  return folder.write([exporterHeader, ...rows, ""].join("\n"));
}

/** Reads a file through both lanes, at several chunk sizes, and expects the same batches each time.
 *  @returns line and reason of every rejected row, and the accepted values */
async function outcomeOf(path: string): Promise<{ rejected: unknown[]; values: number[] }> {
  const readings = await Promise.all(
    [64, 1 << 16, 1 << 20].flatMap((chunkBytes) =>
      [true, false].map(async (fastLane) => batchesOf(await openCsvSource(path, { chunkBytes, fastLane }))),
    ),
  );
  const [first = []] = readings;
  for (const other of readings) expect(other.map(plain)).toEqual(first.map(plain));
  return {
    rejected: rejectedOf(first).map(({ line, reason }) => [line, reason]),
    values: samplesOf(first).map(({ value }) => value),
  };
}

/** Resolves once something waits for the clock, or after 100,000 turns of the event loop. */
async function untilSleeping(clock: ManualClock): Promise<void> {
  for (let turns = 0; turns < 100_000 && clock.sleeperCount === 0; turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const at = (second: number): string => `2025-07-18T20:42:${String(second).padStart(2, "0")}Z`;

exerciseReplayableSource("CsvSource", async () => {
  const path = folder.write(manyRows(500), "replayable.csv");
  const reopen = () => openCsvSource(path, { batchRows: 60, chunkBytes: 4096 });
  return { source: await reopen(), reopen, close: () => Promise.resolve() };
});

exerciseReplayableSource("CsvSource whose batches end with instants", async () => {
  const path = folder.write(manyRows(500), "replayable.csv");
  const reopen = () => openCsvSource(path, { batchRows: 60, batchMaxRows: 1000 });
  return { source: await reopen(), reopen, close: () => Promise.resolve() };
});

exerciseReplayableSource("CsvSource played as now", async () => {
  const path = folder.write(manyRows(500), "replayable.csv");
  const reopen = () => openCsvSource(path, { batchRows: 60, playing: playedNow(Date.UTC(2020, 0, 1), 3) });
  return { source: await reopen(), reopen, close: () => Promise.resolve() };
});

test("a file that cannot be used as a source is refused, and the message has the reason", async () => {
  const path = folder.write("x");
  await expect(openCsvSource(`${path}.none`)).rejects.toThrow(/does not exist/);
  await expect(openCsvSource(dirname(path))).rejects.toThrow(/is a directory/);
  await expect(openCsvSource(folder.write("", "empty.csv"))).rejects.toThrow(/is empty/);
  await expect(openCsvSource(folder.write("\u{feff}\n\n", "blank.csv"))).rejects.toThrow(/is empty/);
  await expect(openCsvSource(folder.write(Buffer.from("\u{feff}a,b", "utf16le"), "utf16.csv"))).rejects.toThrow(
    /UTF-8/,
  );
  await expect(openCsvSource(folder.write(`${exporterHeader},uuid\n`, "twice.csv"))).rejects.toThrow(/two columns/);
  await expect(openCsvSource(folder.write(`${wideHeader},DCGM_FI_DEV_GPU_TEMP\n`, "twice.csv"))).rejects.toThrow(
    /two columns/,
  );
  await expect(openCsvSource(folder.write("timestamp,gpu_id,uuid,hostname\n", "none.csv"))).rejects.toThrow(
    /missing metric_name/,
  );
  await expect(openCsvSource(`${path}.none`)).rejects.toBeInstanceOf(UnusableSource);
});

test("a file with only a header has no batches", async () => {
  expect(await batchesOf(await openCsvSource(folder.write(exporterHeader)))).toEqual([]);
});

test("a quoted field may contain line ends", async () => {
  const path = exporterFile(
    exporterRow({ timestamp: at(1), labels: 'note="two\nlines\r\n"' }),
    exporterRow({ timestamp: at(2) }),
  );
  expect(await outcomeOf(path)).toEqual({ rejected: [], values: [42, 42] });
});

test.each([
  ["is never closed", '"2025-07-18T20:42:34Z,x'],
  ["closes in the next row", `${exporterRow().slice(0, -1)}`],
  ["is followed by text", exporterRow().replace('"42"', '"42"x')],
  ["opens after two columns", 'a,b,"c'],
])("if a quote %s, only its own line is rejected", async (_, line) => {
  const path = exporterFile(exporterRow({ timestamp: at(1) }), line, exporterRow({ timestamp: at(3) }), exporterRow());
  const { rejected, values } = await outcomeOf(path);
  expect(rejected).toEqual([[3, "malformed_quotes"]]);
  expect(values).toHaveLength(3);
});

test("quotes in an unquoted field are text", async () => {
  const path = folder.write(`${wideHeader},labels\n${time},0,GPU-0,h,30,70,note=5"x"\n`);
  const [batch] = await batchesOf(await openCsvSource(path));
  expect(batch?.batch.gpus[0]?.properties).toEqual({ note: '5"x"' });
});

test("a row longer than the limit is rejected, and reading continues at the next line", async () => {
  const long = "x".repeat(defaultRowMaxBytes + 1);
  const fits = `"${" ".repeat(defaultRowMaxBytes - exporterRow().length)}${exporterRow({ timestamp: at(1) }).slice(1)}`;
  const path = exporterFile(
    long,
    exporterRow({ timestamp: at(2) }),
    fits,
    `"${long}`,
    exporterRow({ timestamp: at(3) }),
  );
  const source = await openCsvSource(path, { chunkBytes: 1 << 16 });
  const batches = await batchesOf(source);
  expect(rejectedOf(batches).map(({ line, reason }) => [line, reason])).toEqual([
    [2, "record_too_large"],
    [5, "record_too_large"],
  ]);
  expect(samplesOf(batches)).toHaveLength(3);
  expect(tallyOf(batches, "rows")).toBe(5);
});

test("if a quote stays open for longer than the limit, each line after the quote's line is read as a row", async () => {
  const filler = `${"y".repeat(1000)}\n`.repeat(1100);
  const path = folder.write(`${exporterHeader}\n"open\n${filler}${exporterRow()}\n`);
  const batches = await batchesOf(await openCsvSource(path));
  expect(rejectedOf(batches)[0]).toMatchObject({ line: 2, reason: "malformed_quotes", raw: '"open' });
  expect(rejectedOf(batches)).toHaveLength(1101);
  expect(samplesOf(batches)).toHaveLength(1);
});

test("a rejection of NUL bytes or bad UTF-8 names the column and shows the row", async () => {
  const bytes = Buffer.concat([
    Buffer.from(`${exporterHeader}\n${exporterRow({ host: "a\0b" })}\n`),
    Buffer.from(exporterRow({ host: "a\u{fe}b" }), "latin1"),
    Buffer.from(`\n${exporterRow()}\n`),
  ]);
  const rejected = rejectedOf(await batchesOf(await openCsvSource(folder.write(bytes))));
  expect(rejected.map(({ line, reason, field, value }) => [line, reason, field, value])).toEqual([
    [2, "nul_byte", "Hostname", "a\u{fffd}b"],
    [3, "invalid_utf8", "Hostname", "a\u{fffd}b"],
  ]);
  expect(rejected[0]?.raw).toContain("a\u{fffd}b");
});

test.each([
  [{ uuid: "" }, "missing_field", "uuid"],
  [{ host: " " }, "missing_field", "Hostname"],
  [{ metric: " " }, "missing_field", "metric_name"],
  [{ gpu: "1000001" }, "invalid_gpu_id", "gpu_id"],
  [{ gpu: "-1" }, "invalid_gpu_id", "gpu_id"],
  [{ gpu: "1.5" }, "invalid_gpu_id", "gpu_id"],
  [{ pod: "a\tb" }, "invalid_field", "pod"],
  [{ uuid: "u".repeat(257) }, "invalid_field", "uuid"],
  [{ metric: "m".repeat(257) }, "invalid_field", "metric_name"],
  [{ timestamp: "yesterday" }, "invalid_timestamp", "timestamp"],
  [{ value: "1,234" }, "invalid_value", "value"],
  [{ value: "1e309" }, "invalid_value", "value"],
  [{ value: "100.5" }, "value_out_of_range", "value"],
] as const)("%p is rejected as %s of %s", async (cells, reason, field) => {
  const rejected = rejectedOf(await batchesOf(await openCsvSource(exporterFile(exporterRow(cells)))));
  expect(rejected).toEqual([expect.objectContaining({ line: 2, reason, field })]);
});

test("a missing value is counted and makes no record", async () => {
  const [batch] = await batchesOf(
    await openCsvSource(exporterFile(exporterRow({ value: "N/A" }), exporterRow({ value: "" }))),
  );
  expect(batch?.batch).toMatchObject({ recordCount: 0, gpus: [], tally: { rows: 2, missing: 2, samples: 0 } });
});

test("columns that become metrics outside the catalogue are named, with the metric that may have been meant", async () => {
  const path = folder.write(`${wideHeader},memory_used [MB],gpu_utilisation,fan_rpm\n${time},0,GPU-0,h,30,,1,2,3`);
  const source = await openCsvSource(path);
  // only what has been read is stored under its own name
  expect(source.ownColumns).toEqual([]);
  await batchesOf(source);
  expect(source.ownColumns).toEqual([
    '"memory_used [MB]" (memory.used is read in MiB or GiB or TiB, not in MB)',
    '"gpu_utilisation" (did you mean gpu_utilization, in percent?)',
    '"fan_rpm"',
  ]);
});

test("a wide row keeps its good cells when one is bad, and the source names the columns that it cannot read", async () => {
  const rows = [`${time},0,GPU-0,h,30,9999999,535.1,fast,SN1`, `${time},1,GPU-1,h,N/A,,535.1,slow,`];
  const path = folder.write([`${wideHeader},driver_version,fan,DCGM_FI_DEV_SERIAL`, ...rows].join("\n"));
  const source = await openCsvSource(path);
  const batches = await batchesOf(source);
  expect(source.unreadColumns).toEqual(["fan"]);
  expect(samplesOf(batches).map(({ metric, value }) => [metric, value])).toEqual([["temperature", 30]]);
  expect(rejectedOf(batches)).toEqual([
    expect.objectContaining({ reason: "value_out_of_range", field: "power_draw", value: "9999999" }),
  ]);
  expect(tallyOf(batches, "missing")).toBe(2);
  expect(batches[0]?.batch.gpus).toEqual([
    expect.objectContaining({ driverVersion: "535.1", properties: { serial: "SN1" } }),
  ]);
});

test("columns may have any order and several spellings, and a metric may have any name", async () => {
  const path = folder.write(`Value, Host_Name ,UUID,GPU ID,MetricName,Timestamp\n7,h,u,3,my metric ,${time}\n`);
  const batches = await batchesOf(await openCsvSource(path));
  expect(samplesOf(batches)).toEqual([{ uuid: "u", timeMs: Date.parse(time), metric: "my metric", value: 7 }]);
  expect(batches[0]?.batch.gpus[0]).toMatchObject({ hostname: "h", gpuId: 3, clusterId: "local-cluster" });
});

test("a row of a text field, such as a serial number, sets a property of its GPU at its instant, and is not a sample", async () => {
  const serial = exporterRow({ metric: "DCGM_FI_DEV_SERIAL", value: "SN-1" });
  const [batch] = await batchesOf(
    await openCsvSource(exporterFile(exporterRow(), serial, exporterRow({ timestamp: at(1) }))),
  );
  const properties = { instance: "host-1:9400", job: "dcgm" };
  expect(batch?.batch.gpus).toEqual([
    expect.objectContaining({ properties: { ...properties, serial: "SN-1" } }),
    expect.objectContaining({ properties }),
  ]);
  expect(batch?.batch).toMatchObject({ recordCount: 2, tally: { rows: 3, samples: 2 } });
});

test("a repeated header is skipped and counted", async () => {
  const batches = await batchesOf(
    await openCsvSource(exporterFile(exporterRow(), exporterHeader, exporterRow({ timestamp: at(1) }))),
  );
  expect(batches[0]?.batch.tally).toMatchObject({ rows: 2, samples: 2, repeatedHeaders: 1 });
});

test("a batch ends after batchRows rows, and at the end of its range", async () => {
  const path = exporterFile(...Array.from({ length: 25 }, (_, second) => exporterRow({ timestamp: at(second) })));
  for (const fastLane of [true, false]) {
    const source = await openCsvSource(path, { batchRows: 10, fastLane });
    const batches = await batchesOf(source);
    expect(batches.map(({ batch }) => batch.tally.rows)).toEqual([10, 10, 5]);
    const endOfThirteenth = exporterHeader.length + 1 + 13 * (exporterRow().length + 1);
    const first = await batchesOf(source, { to: { offset: endOfThirteenth, line: 15 } });
    expect(first.map(({ batch }) => batch.tally.rows)).toEqual([10, 3]);
    expect(first[1]?.range.to).toEqual({ offset: endOfThirteenth, line: 15 });
  }
});

test("a batch also ends at about 16 MiB, so that blank lines and long rows do not make it endless", async () => {
  const row = exporterRow({ labels: `note="${"z".repeat(1 << 19)}"` });
  const path = folder.write(
    [exporterHeader, ...Array.from({ length: 20 }, () => row), "\n".repeat(9 << 20)].join("\n"),
  );
  const batches = await batchesOf(await openCsvSource(path));
  expect(batches.map(({ range }) => range.to.offset - range.from.offset <= 17 << 20)).not.toContain(false);
  expect(batches.length).toBe(2);
  expect(tallyOf(batches, "rows")).toBe(20);
  expect(tallyOf(batches, "blankLines")).toBe(9 << 20);
});

test("a source's id depends on its content and playing options; rows that are appended after the opening are not read", async () => {
  const path = exporterFile(exporterRow());
  const source = await openCsvSource(path);
  expect(source.sourceId).toMatch(/^csv:input\.csv:[0-9a-f]{16}$/);
  expect((await openCsvSource(path)).sourceId).toBe(source.sourceId);
  expect((await openCsvSource(path, { playing: { timestamps: "original", round: 2 } })).sourceId).toBe(
    `${source.sourceId}:round:2`,
  );
  expect((await openCsvSource(path, { playing: playedNow(5000, 1) })).sourceId).toBe(`${source.sourceId}:now:5000:1`);
  appendFileSync(path, `${exporterRow({ timestamp: at(1) })}\n`);
  expect(tallyOf(await batchesOf(source), "rows")).toBe(1);
  expect((await openCsvSource(path)).sourceId).not.toBe(source.sourceId);
});

test("reading a file that became shorter fails instead of ending as if all rows were read", async () => {
  const path = exporterFile(exporterRow(), exporterRow({ timestamp: at(1) }));
  const source = await openCsvSource(path);
  truncateSync(path, 200);
  await expect(batchesOf(source)).rejects.toThrow(/became shorter/);
});

test("a file that is played as now begins now and keeps its intervals, and each batch waits for its time", async () => {
  const nowMs = Date.UTC(2030, 0, 1, 0, 0, 0, 5);
  const clock = new ManualClock(nowMs);
  const path = exporterFile(
    exporterRow({ timestamp: "no time" }),
    exporterRow({ timestamp: at(1) }),
    exporterRow({ timestamp: "2025-07-18T20:42:01.250Z" }),
    exporterRow({ timestamp: at(11) }),
  );
  const source = await openCsvSource(path, { playing: playedNow(nowMs), clock, batchRows: 2 });
  const batches = source.read(source.whole, new AbortController().signal)[Symbol.asyncIterator]();
  const timesOf = ({ value }: IteratorResult<RangeBatch>): number[] => [...(value as RangeBatch).batch.timesMs];
  expect(timesOf(await batches.next())).toEqual([nowMs]);
  const second = batches.next();
  await untilSleeping(clock);
  await clock.advance(9999);
  expect(clock.sleeperCount).toBe(1);
  await clock.advance(1);
  expect(timesOf(await second)).toEqual([nowMs + 250, nowMs + 10_000]);
  expect((await batches.next()).done).toBe(true);
});

test("an abort ends a read without an error, even while the read waits for a batch's time", async () => {
  const clock = new ManualClock();
  const path = exporterFile(exporterRow({ timestamp: at(1) }), exporterRow({ timestamp: at(50) }));
  const source = await openCsvSource(path, { playing: playedNow(clock.nowMs()), clock, batchRows: 1 });
  const stop = new AbortController();
  const reading = Array.fromAsync(source.read(source.whole, stop.signal));
  await untilSleeping(clock);
  stop.abort();
  expect(await reading).toHaveLength(1);
  expect(await Array.fromAsync(source.read(source.whole, AbortSignal.abort()))).toEqual([]);
});
