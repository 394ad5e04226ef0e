import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse";
import { systemClock } from "../src/kit/clock.ts";
import { usualReading } from "../src/pipeline/source/csv/csv-reading.ts";
import { CsvSource, originalTimes } from "../src/pipeline/source/csv/csv-source.ts";
import { idOfContent } from "../src/pipeline/source/file-ids.ts";
import { FileLook } from "../src/pipeline/source/file/file-look.ts";
import { writeExporterCsv } from "./support/exporter-csv.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

/** Measures how many samples per second the CSV source reads in its fast lane and in its slow lane, and how many csv-parse
 *  alone reads, from the same generated file.
 *  Usage: bun bench/csv-parse.ts [rows] */
async function main(): Promise<void> {
  const rows = Number(process.argv[2] ?? 200_000);
  const directory = await mkdtemp(join(tmpdir(), "csv-parse-"));
  try {
    const path = join(directory, "fleet.csv");
    await writeExporterCsv({ path, rows, hosts: 31, gpusPerHost: 8, seed: 42 });
    const { size } = await stat(path);
    print(`${rows} rows, ${(size / 1e6).toFixed(1)} MB, 248 GPUs, batches of 1,000 rows, median of 3`);
    const csvParseRate = await measure("csv-parse alone, rows as objects", rows, () => parseBare(path));
    const slow = await measure("slow lane (csv-parse and our checks)", rows, () => readSource(path, false));
    const fast = await measure("fast lane", rows, () => readSource(path, true));
    print(
      `fast lane / csv-parse: ${(fast / csvParseRate).toFixed(1)}x; slow lane / csv-parse: ${(slow / csvParseRate).toFixed(2)}x`,
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function measure(name: string, rows: number, run: () => Promise<number>): Promise<number> {
  const rates: number[] = [];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const startedAtMs = performance.now();
    const samples = await run();
    if (samples !== rows) throw new Error(`${name} read ${samples} samples of ${rows}`);
    rates.push((samples / (performance.now() - startedAtMs)) * 1000);
  }
  print(`${name.padEnd(36)} ${grouped(median(rates)).padStart(12)} samples/s`);
  return median(rates);
}

async function readSource(path: string, fastLane: boolean): Promise<number> {
  const options = {
    look: new FileLook(path, systemClock),
    chooseId: idOfContent,
    clusterId: "bench",
    hostname: undefined,
    namedHostname: undefined,
    batchRows: 1000,
    batchMaxRows: 1000,
    playing: originalTimes,
  };
  const source = await CsvSource.open(
    { ...options, clock: systemClock, onWarning: () => undefined },
    { ...usualReading, fastLane },
  );
  let samples = 0;
  for await (const { batch } of source.read(source.whole, new AbortController().signal)) {
    samples += batch.tally.samples;
  }
  return samples;
}

async function parseBare(path: string): Promise<number> {
  let samples = 0;
  for await (const row of createReadStream(path, { highWaterMark: 1 << 20 }).pipe(parse({ columns: true }))) {
    if (row !== undefined) samples += 1;
  }
  return samples;
}

await main();
