import { randomFrom } from "../../support/random.ts";

/** The content of a source, recorded when it is generated. */
export interface Ledger {
  readonly csv: string;
  /** `uuid time_ms` -> catalogue metric -> value. */
  readonly records: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** Byte offsets of the rows that must be rejected. */
  readonly spoiledBytes: readonly number[];
  /** The number of rows, including those to be rejected, without the header. */
  readonly rows: number;
}

/** The source of the records of watched GPUs (`told/`), which is also their cluster. Their messages are not of the file. */
export const watchedSource = "watched";

/** The first line of each file. */
export const header =
  "timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw\n";
/** The metrics of each file, by their names in it. */
export const metrics = {
  DCGM_FI_DEV_GPU_UTIL: "gpu_utilization",
  DCGM_FI_DEV_MEM_COPY_UTIL: "memory_utilization",
  DCGM_FI_DEV_POWER_USAGE: "power_draw",
  DCGM_FI_DEV_GPU_TEMP: "temperature",
  DCGM_FI_DEV_SM_CLOCK: "sm_clock_mhz",
};
/** The first second of the file. */
export const startMs = Date.UTC(2025, 6, 18, 20, 42, 34);
/** The number of GPUs in each second of the file. */
export const gpuCount = 40;
/** One row in this many is spoiled. */
export const spoiledEvery = 401;

export const hourMs = 3_600_000;

/** Generates the content of a CSV file, and records it. Values are random, so that a misplaced value almost certainly differs
 *  from the right one.
 *  @param hours the seconds are of so many hours in turn: between two of them, their hour may be settled */
export function makeLedger(seed: number, seconds: number, hours = 1): Ledger {
  const random = randomFrom(seed);
  const records = new Map<string, Record<string, number>>();
  const spoiledBytes: number[] = [];
  const parts = [header];
  let bytes = header.length;
  let rows = 0;
  for (let second = 0; second < seconds; second += 1) {
    for (const [field, metric] of Object.entries(metrics)) {
      for (let gpu = 0; gpu < gpuCount; gpu += 1) {
        const uuid = `GPU-${seed}-${gpu}`;
        const timeMs = startMs + (second % hours) * hourMs + second * 1000;
        const value = Math.floor(random() * 100_000) / 1000;
        const isSpoiled = rows % spoiledEvery === spoiledEvery - 1;
        const row = rowOf({ timeMs, field, gpu, uuid, value: isSpoiled ? "not-a-number" : String(value) });
        if (isSpoiled) spoiledBytes.push(bytes);
        else {
          const key = `${uuid} ${timeMs}`;
          records.set(key, { ...records.get(key), [metric]: value });
        }
        parts.push(row);
        bytes += row.length;
        rows += 1;
      }
    }
  }
  return { csv: parts.join(""), records, spoiledBytes, rows };
}

/** The host of a GPU. */
export const hostOf = (gpu: number): string => `host-${Math.floor(gpu / 8)}`;

/** A row of a file. Every cell is quoted. */
export function rowOf(row: { timeMs: number; field: string; gpu: number; uuid: string; value: string }): string {
  const host = hostOf(row.gpu);
  const time = new Date(row.timeMs).toISOString().replace(".000", "");
  const labels = `DCGM_FI_DRIVER_VERSION=""535.129.03"",Hostname=""${host}"",UUID=""${row.uuid}"",__name__=""${row.field}"",gpu=""${row.gpu % 8}""`;
  const cells = [time, row.field, row.gpu % 8, `nvidia${row.gpu % 8}`, row.uuid, "NVIDIA H100", host, "", "", ""];
  return `${cells.map((cell) => `"${cell}"`).join(",")},"${row.value}","${labels}"\n`;
}
