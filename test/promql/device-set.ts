import type { TestRecord } from "../../dev/make-batch.ts";
import { type Labels, labelsOf } from "../../src/promql/labels.ts";
import type { SelectedSeries } from "../../src/promql/series-source.ts";
import { Seeded } from "./seeded.ts";

/** The first instant of the devices' records: 2025-07-18T20:00:00Z. */
export const deviceStartMs = Date.UTC(2025, 6, 18, 20);
const intervalMs = 30_000;
const count = 40;
const driver = "550.54.15";

/** The metrics of the devices: our name, the names and units that dcgm-exporter has had, and how the value comes about. */
type Row = readonly [
  own: string,
  names: readonly (readonly [string, (value: number) => number])[],
  make: (random: Seeded, index: number) => number,
];
const same = (value: number): number => value;
// prettier-ignore
const rows: readonly Row[] = [
  ["temperature", [["DCGM_FI_DEV_GPU_TEMP", same], ["DCGM_FI_DEV_GPU_TEMP_CELSIUS", same], ["dcgm_gpu_temp", same]], (random) => 30 + random.below(50)],
  ["gpu_utilization", [["DCGM_FI_DEV_GPU_UTIL", same], ["DCGM_FI_DEV_GPU_UTIL_RATIO", (value) => value / 100]], (random) => random.below(101)],
  ["power_draw", [["DCGM_FI_DEV_POWER_USAGE", same], ["DCGM_FI_DEV_BOARD_POWER_WATTS", same]], (random) => 60 + random.below(6000) / 10],
  ["memory_used_mb", [["DCGM_FI_DEV_FB_USED", same], ["DCGM_FI_DEV_FB_USED_BYTES", (value) => value * 2 ** 20]], (random) => random.below(80_000)],
  ["memory_free_mb", [["DCGM_FI_DEV_FB_FREE", same], ["DCGM_FI_DEV_FB_FREE_BYTES", (value) => value * 2 ** 20]], (random) => random.below(80_000)],
  ["sm_clock_mhz", [["DCGM_FI_DEV_SM_CLOCK", same], ["DCGM_FI_DEV_SM_CLOCK_HERTZ", (value) => value * 1e6]], (random) => 345 + random.below(1600)],
  ["tensor_active", [["DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", same], ["DCGM_FI_PROF_TENSOR_UTIL_RATIO", same]], (random) => random.below(1000) / 1000],
  ["total_energy_mj", [["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", same], ["DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL", (value) => value / 1000]], (random, index) => (index % 25) * 9_000_000 + random.below(1_000_000)],
  ["own_metric", [["own_metric", same]], (random) => random.below(9)],
];

/** Records of two hosts with two GPUs each. A pod gets a GPU and leaves it again, and one GPU is silent for some minutes. */
export const deviceRecords: readonly TestRecord[] = made().map(({ record }) => record);

/** The same as a Prometheus has it that scrapes dcgm-exporter: each metric under each of its names, and a series that has ended where the
 *  labels of a device have changed. */
export function deviceSeries(): readonly SelectedSeries[] {
  const series = new Map<string, { labels: Labels; samples: [number, number, number][] }>();
  const last = new Map<string, string>();
  for (const { record, labels } of made()) {
    for (const [own, names] of rows) {
      for (const [name, convert] of names) {
        const ofSeries = labelsOf(Object.entries({ ...labels, __name__: name }));
        const key = JSON.stringify([...ofSeries.entries()]);
        const before = last.get(record.uuid + name);
        if (before !== undefined && before !== key) series.get(before)?.samples.push([record.timeMs, 0, 1]);
        last.set(record.uuid + name, key);
        const known = series.get(key) ?? { labels: ofSeries, samples: [] };
        series.set(key, known);
        known.samples.push([record.timeMs, convert(record.metrics[own] ?? NaN), 0]);
      }
    }
  }
  return [...series.values()].map(({ labels, samples }) => ({
    labels,
    timesMs: Float64Array.from(samples, ([timeMs]) => timeMs),
    values: Float64Array.from(samples, ([, value]) => value),
    ends: Uint8Array.from(samples, ([, , isEnd]) => isEnd),
  }));
}

function made(): { record: TestRecord; labels: Readonly<Record<string, string>> }[] {
  const random = new Seeded(7);
  const all: { record: TestRecord; labels: Readonly<Record<string, string>> }[] = [];
  for (let index = 0; index < count; index += 1) {
    for (const [hostname, gpu] of [
      ["host-a", 0],
      ["host-a", 1],
      ["host-b", 0],
      ["host-b", 1],
    ] as const) {
      const metrics = Object.fromEntries(rows.map(([own, , make]) => [own, make(random, index)]));
      const isSilent = hostname === "host-b" && gpu === 1 && index >= 10 && index < 24;
      if (!isSilent) all.push(recordOf({ hostname, gpu, index, metrics }));
    }
  }
  return all;
}

function recordOf({
  hostname,
  gpu,
  index,
  metrics,
}: {
  hostname: string;
  gpu: number;
  index: number;
  metrics: Readonly<Record<string, number>>;
}) {
  const uuid = `GPU-${hostname}-${gpu}`;
  const isHeld = hostname === "host-a" && gpu === 0 && index >= 12 && index < 30;
  const workload = { namespace: "ml", pod: "train-0", container: "main" };
  const modelName = "NVIDIA H100 80GB HBM3";
  const record: TestRecord = {
    ...{ uuid, hostname, gpuId: gpu, clusterId: "alpha", modelName, driverVersion: driver, metrics },
    ...{
      timeMs: deviceStartMs + index * intervalMs + gpu * 700,
      properties: { job: "dcgm", pci_bus_id: `0000000${gpu}:07:00.0` },
    },
    ...(isHeld ? { workload } : {}),
  };
  const held = isHeld
    ? { ...workload, exported_namespace: "ml", exported_pod: "train-0", exported_container: "main" }
    : {};
  const labels = {
    ...{
      gpu: String(gpu),
      UUID: uuid,
      device: `nvidia${gpu}`,
      modelName,
      Hostname: hostname,
      hostname,
      instance: hostname,
    },
    ...{ job: "dcgm", pci_bus_id: `0000000${gpu}:07:00.0`, cluster: "alpha", DCGM_FI_DRIVER_VERSION: driver, ...held },
  };
  return { record, labels };
}
