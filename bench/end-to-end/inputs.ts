import { join } from "node:path";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { writeExporterCsv } from "../support/exporter-csv.ts";

/** A file that the pipeline and VictoriaMetrics import. */
export interface Input {
  readonly name: string;
  readonly path: string;
  readonly samples: number;
}

/** Writes the input files into `folder`.
 *  @param samples the approximate number of samples in each file */
export async function writeInputs(folder: string, samples: number): Promise<Input[]> {
  const scrapes = join(folder, "scrapes.csv");
  // 512 GPUs, each with 17 samples a second
  await writeFleetCsv(scrapes, { hosts: 64, "gpus-per-host": 8, seconds: Math.ceil(samples / (512 * 17)) });
  const sampleLike = join(folder, "sample-like.csv");
  await writeExporterCsv({
    path: sampleLike,
    rows: samples,
    hosts: 31,
    gpusPerHost: 8,
    seed: 42,
    instantsPerScrape: 4,
  });
  return [
    { name: "scrapes (17 samples per record)", path: scrapes, samples: await rowsOf(scrapes) },
    { name: "like the sample CSV (2.5 samples per record)", path: sampleLike, samples },
  ];
}

/** Writes files of simulated fleets with readings every 15 s and every second. */
export async function writeFleets(folder: string): Promise<{ readonly name: string; readonly path: string }[]> {
  const fleets = [
    { interval: "15s", hosts: 48, seconds: 7200 },
    { interval: "1s", hosts: 8, seconds: 3600 },
  ];
  const files = [];
  for (const { interval, hosts, seconds } of fleets) {
    const path = join(folder, `${interval}.csv`);
    await writeFleetCsv(path, { hosts, "gpus-per-host": 8, seconds, interval, seed: 42 });
    files.push({ name: `simulated, every ${interval}`, path });
  }
  return files;
}

/** The number of rows in a file, without the header. */
async function rowsOf(path: string): Promise<number> {
  let lines = 0;
  for await (const chunk of Bun.file(path).stream()) for (const byte of chunk) if (byte === 10) lines += 1;
  return lines - 1;
}
