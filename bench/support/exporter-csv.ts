import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";

/** The path and content of a generated file. */
export interface ExporterCsvOptions {
  readonly path: string;
  readonly rows: number;
  readonly hosts: number;
  readonly gpusPerHost: number;
  readonly seed: number;
  /** The number of instants, one second apart, over which the metrics of a scrape are distributed; 1 by default. A
   *  scrape in the sample CSV has several instants. */
  readonly instantsPerScrape?: number;
}

/** Some of the exporter's usual metrics, each with its highest value and its number of decimals. */
const metricRanges = [
  ["DCGM_FI_DEV_GPU_UTIL", 100, 0],
  ["DCGM_FI_DEV_MEM_COPY_UTIL", 100, 0],
  ["DCGM_FI_DEV_POWER_USAGE", 700, 3],
  ["DCGM_FI_DEV_GPU_TEMP", 90, 0],
  ["DCGM_FI_DEV_FB_USED", 81559, 0],
  ["DCGM_FI_DEV_FB_FREE", 81559, 0],
  ["DCGM_FI_DEV_SM_CLOCK", 1980, 0],
  ["DCGM_FI_DEV_MEM_CLOCK", 2619, 0],
  ["DCGM_FI_PROF_DRAM_ACTIVE", 1, 6],
  ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 90_000_000_000, 0],
] as const;

const header = "timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw\n";
const startMs = Date.UTC(2025, 6, 18, 20, 42, 34);
const stepMs = 15_000;

/** Writes a CSV file in dcgm-exporter's layout: a scrape every 15 s, sorted by metric, then by GPU. The same options give the
 *  same bytes. */
export async function writeExporterCsv(options: ExporterCsvOptions): Promise<void> {
  const { instantsPerScrape = 1 } = options;
  const file = createWriteStream(options.path);
  file.write(header);
  const random = xorshift(options.seed);
  const gpus = gpusOf(options, random);
  let chunk = "";
  for (let row = 0; row < options.rows; row += 1) {
    const gpu = gpus[row % gpus.length] ?? "";
    const metricAt = Math.floor(row / gpus.length) % metricRanges.length;
    const [metric, max, decimals] = metricRanges[metricAt] ?? metricRanges[0];
    const scrape = Math.floor(row / (gpus.length * metricRanges.length));
    const time = new Date(startMs + scrape * stepMs + (metricAt % instantsPerScrape) * 1000)
      .toISOString()
      .replace(".000Z", "Z");
    const [identity, labelsBefore, labelsAfter] = gpu.split("|");
    const value = (random() * max).toFixed(decimals);
    chunk += `"${time}","${metric}",${identity},"${value}","${labelsBefore}${metric}${labelsAfter}"\n`;
    if (chunk.length < 1 << 20) continue;
    if (!file.write(chunk)) await once(file, "drain");
    chunk = "";
  }
  file.end(chunk);
  await finished(file);
}

/** A text for each GPU: its cells, its labels before the metric's name, and its labels after the name, separated by |. */
function gpusOf({ hosts, gpusPerHost }: ExporterCsvOptions, random: () => number): string[] {
  return Array.from({ length: hosts * gpusPerHost }, (_, index) => {
    const host = `dgx-h100-${String(Math.floor(index / gpusPerHost) + 1).padStart(3, "0")}`;
    const gpu = index % gpusPerHost;
    const hex = (digits: number): string =>
      Math.floor(random() * 16 ** digits)
        .toString(16)
        .padStart(digits, "0");
    const uuid = `GPU-${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`;
    const model = "NVIDIA H100 80GB HBM3";
    const identity = `"${gpu}","nvidia${gpu}","${uuid}","${model}","${host}","","",""`;
    const before = `DCGM_FI_DRIVER_VERSION=""535.129.03"",Hostname=""${host}"",UUID=""${uuid}"",__name__=""`;
    const after = `"",device=""nvidia${gpu}"",gpu=""${gpu}"",instance=""${host}:9400"",job=""dgx_dcgm_exporter"",modelName=""${model}""`;
    return [identity, before, after].join("|");
  });
}

/** Marsaglia's xorshift32, scaled to numbers between 0 and 1. */
export function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
