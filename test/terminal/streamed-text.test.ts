import { afterAll, expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import type { Range } from "../../src/domain/range.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { BarLine } from "../../src/terminal/bar-line.ts";
import { ImportMonitor } from "../../src/terminal/import-monitor.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

interface Streaming {
  /** The ranges that others have published before; by default none. */
  readonly covered?: (whole: Range) => readonly Range[];
  /** What becomes of the messages of this process; by default, the queue takes them. */
  readonly messages?: "new" | "duplicate" | "none";
}

/** Streams a file with these lines in a process without a store. @returns what it prints after the counts */
async function reasonFor(lines: readonly string[], { covered = () => [], messages = "new" }: Streaming = {}) {
  const clock = new ManualClock();
  const printed: string[] = [];
  const { sourceOpened, published, sourceFinished } = new ImportMonitor({
    queue: new MemoryQueue({ topic: "t", clock, capacityMessages: 10, leaseSeconds: 30, maxAttempts: 3 }),
    store: () => undefined,
    clock,
    log: unshownLog(),
    terminal: new BarLine(new PassThrough() as unknown as NodeJS.WriteStream),
    print: (text) => void printed.push(text),
  }).listener();
  const source = await openCsvSource(folder.write([exporterHeader, ...lines, ""].join("\n")));
  sourceOpened(source, covered(source.whole));
  const batches = messages === "none" ? [] : await batchesOf(source);
  for (const { batch } of batches) published(batch.tally, messages === "duplicate");
  sourceFinished(source);
  return printed.map((line) => line.replace(/^Streamed .*: this process published /, ""));
}

test("a streamer that publishes nothing says why", async () => {
  const row = exporterRow();
  const nothing = "0 rows, 0 samples, 0 messages; ";
  expect(await reasonFor([row])).toEqual(["1 rows, 1 samples, 1 messages"]);
  expect(await reasonFor([])).toEqual([`${nothing}the file has no rows after its header`]);
  expect(await reasonFor([row], { covered: (whole) => [whole], messages: "none" })).toEqual([
    `${nothing}all of it had been published before, as its checkpoints in etcd say`,
  ]);
  expect(await reasonFor([row], { messages: "none" })).toEqual([
    `${nothing}other streamers published the ranges that were left`,
  ]);
  expect(await reasonFor([row], { messages: "duplicate" })).toEqual([`${nothing}the queue had its 1 messages already`]);
  expect(await reasonFor(["", exporterHeader])).toEqual([
    "0 rows, 0 samples, 1 messages; the lines that it read are blank, or repeat the header",
  ]);
});

test("a streamer whose rows are all rejected or empty says where the reasons are", async () => {
  const [bad, empty, cut] = [exporterRow({ value: "hot" }), exporterRow({ value: "" }), "a,b"];
  expect(await reasonFor([bad, cut])).toEqual([
    "2 rows, 0 samples, 1 messages; all values were rejected; /api/v1/quarantine lists them with their reasons",
  ]);
  for (const lines of [[empty], [bad, empty]]) {
    expect(await reasonFor(lines)).toEqual([
      `${lines.length} rows, 0 samples, 1 messages; no value can be used: 1 are missing (such as empty or N/A); /api/v1/quarantine lists those that were rejected`,
    ]);
  }
});

test("a streamer names the metrics outside the catalogue that it has published, likely misspellings first", async () => {
  const rows = ["fan_rpm", "DCGM_FI_DEV_GPU_TEMPP"].map((metric) => exporterRow({ metric }));
  expect(await reasonFor(rows)).toEqual([
    `2 rows, 2 samples, 1 messages
  not in the catalogue, numbers stored under their own names:
    "DCGM_FI_DEV_GPU_TEMPP" (did you mean DCGM_FI_DEV_GPU_TEMP, in celsius?)
    "fan_rpm"`,
  ]);
});
