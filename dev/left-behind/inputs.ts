/** A CSV file in the exporter's layout. Its name is part of its identity as a source. */
export interface InputFile {
  readonly name: string;
  readonly text: string;
}

const header = "timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw";

interface Place {
  readonly host: string;
  readonly gpuId: number;
  readonly driver: string;
  readonly pod: string;
}

const metricNames = [
  "DCGM_FI_DEV_GPU_UTIL",
  "DCGM_FI_DEV_MEM_COPY_UTIL",
  "DCGM_FI_DEV_FB_USED",
  "DCGM_FI_DEV_FB_FREE",
  "DCGM_FI_DEV_GPU_TEMP",
  "DCGM_FI_DEV_POWER_USAGE",
  "DCGM_FI_DEV_SM_CLOCK",
  "DCGM_FI_DEV_MEM_CLOCK",
  "OUR_OWN_FAN_NOISE",
];

const gpuCount = 6;
const completeFirstMs = Date.UTC(2025, 6, 18, 20, 40);
const halfFirstMs = Date.UTC(2025, 6, 18, 23, 15);
const minuteMs = 60_000;

/** A file of two hours, a reading every ten minutes, with everything that a row can be: GPUs that move and whose drivers and
 *  pods change, values that are missing, metrics outside the catalogue, repeated rows, and rows that are rejected. */
export function completeInput(): InputFile {
  const rows = readings({ firstMs: completeFirstMs, instants: 13, stepMs: 10 * minuteMs });
  rows.splice(100, 0, rows[99] as string); // a duplicate
  rows.splice(200, 0, rejected("18/07/2025", "1"), rejected("2025-07-18T21:00:00Z", "not a number"));
  rows.splice(300, 0, "too,few,columns");
  return { name: "complete.csv", text: [header, ...rows, ""].join("\n") };
}

/** A file of five minutes, a reading every ten seconds, without changes of GPUs: enough messages to stop in the middle. */
export function halfReadInput(): InputFile {
  const rows = readings({ firstMs: halfFirstMs, instants: 30, stepMs: 10_000 });
  rows.splice(1400, 0, rejected("2025-07-18T23:18:00Z", "not a number"));
  return { name: "half-read.csv", text: [header, ...rows, ""].join("\n") };
}

function readings({ firstMs, instants, stepMs }: { firstMs: number; instants: number; stepMs: number }): string[] {
  const rows: string[] = [];
  for (let instant = 0; instant < instants; instant += 1) {
    for (let gpu = 0; gpu < gpuCount; gpu += 1) {
      const timeMs = firstMs + instant * stepMs;
      const place = placeOf(gpu, timeMs);
      metricNames.forEach((metric, index) =>
        rows.push(rowOf({ timeMs, gpu, metric, value: valueOf(gpu, index, instant) }, place)),
      );
    }
  }
  return rows;
}

/** GPU 3 moves to another host, the second host gets another driver, and pods come and go. */
function placeOf(gpu: number, timeMs: number): Place {
  const minutes = (timeMs - completeFirstMs) / minuteMs;
  const hasMoved = gpu === 3 && minutes >= 60;
  const isOnFirst = gpu < 4 && !hasMoved;
  const pod = gpu > 2 ? "" : minutes < 30 ? `train-${gpu}` : minutes < 80 ? "" : `serve-${gpu % 2}`;
  return {
    host: isOnFirst ? "left-host-1" : "left-host-2",
    gpuId: hasMoved ? 2 : isOnFirst ? gpu : gpu - 4,
    driver: !isOnFirst && minutes >= 40 ? "550.54.15" : "535.129.03",
    pod,
  };
}

/** Every seventh power reading has no value. */
function valueOf(gpu: number, metric: number, instant: number): string {
  const step = instant * 7 + gpu * 3 + metric;
  if (metric === 5) return step % 7 === 0 ? "" : String(70 + (step % 90) + 0.125 * (step % 8));
  return String((step * 13) % 101);
}

interface Reading {
  readonly timeMs: number;
  readonly gpu: number;
  readonly metric: string;
  readonly value: string;
}

function rowOf({ timeMs, gpu, metric, value }: Reading, { host, gpuId, driver, pod }: Place): string {
  const uuid = `GPU-29b23230-0000-4000-8000-00000000000${gpu}`;
  const labels = `DCGM_FI_DRIVER_VERSION="${driver}",Hostname="${host}",UUID="${uuid}",__name__="${metric}",device="nvidia${gpuId}",gpu="${gpuId}",instance="${host}:9400",job="dcgm"`;
  const workload = pod === "" ? ["", "", ""] : ["main", pod, pod.startsWith("train") ? "training" : "serving"];
  const time = new Date(timeMs).toISOString().replace(".000Z", "Z");
  const cells = [time, metric, String(gpuId), `nvidia${gpuId}`, uuid, "NVIDIA H100 80GB HBM3", host, ...workload];
  return [...cells, value, labels].map((cell) => `"${cell.replaceAll('"', '""')}"`).join(",");
}

function rejected(time: string, value: string): string {
  const cells = [time, "DCGM_FI_DEV_GPU_UTIL", "0", "nvidia0", "GPU-29b23230-0000-4000-8000-000000000000"];
  return [...cells, "NVIDIA H100 80GB HBM3", "left-host-1", "", "", "", value, ""].map((cell) => `"${cell}"`).join(",");
}
