import { describe, expect, test } from "bun:test";
import { dialectOf } from "../../../src/domain/dialects/dialect-of.ts";
import { judgeReading } from "../../../src/domain/dialects/judge-reading.ts";
import { ratioUnitOf } from "../../../src/domain/dialects/ratio-scale.ts";
import { metricNameOf, spellingOf, spellings } from "../../../src/domain/dialects/spelling-of.ts";
import type { Spelling } from "../../../src/domain/dialects/spelling.ts";
import { metrics } from "../../../src/domain/metrics.ts";
import { normalName } from "../../../src/pipeline/source/csv/column-names.ts";

const read = (name: string, value: number) => judgeReading(spellingOf(name) as Spelling, value);

test("no name spells two metrics, or one metric in two units, also not in the header of a CSV", () => {
  expect(new Set(spellings.map(({ name }) => name)).size).toBe(spellings.length);
  const meanings = new Map<string, string>();
  for (const { name, metricIndex, scale } of spellings) {
    const meaning = `${metrics[metricIndex]?.name} x ${scale.factor}`;
    expect([name, meanings.get(normalName(name)) ?? meaning]).toEqual([name, meaning]);
    meanings.set(normalName(name), meaning);
  }
});

describe("a value has the unit of its name, and the digits that were printed", () => {
  test.each([
    ["DCGM_FI_DEV_SM_CLOCK_HERTZ", 1.98e9, "sm_clock_mhz", 1980],
    ["DCGM_FI_DEV_MEMORY_CLOCK_HERTZ", 1593e6, "memory_clock_mhz", 1593],
    ["DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL", 9022.652, "total_energy_mj", 9022652],
    ["DCGM_FI_DEV_MEMORY_UTIL_RATIO", 0.29, "memory_utilization", 29],
    ["DCGM_FI_DEV_ENC_UTIL_RATIO", 0.07, "enc_utilization", 7],
    ["DCGM_FI_DEV_DEC_UTIL_RATIO", 1e-7, "dec_utilization", 0.00001],
    ["DCGM_FI_DEV_FB_USED_BYTES", 134742016, "memory_used_mb", 128.5],
    ["DCGM_FI_DEV_FB_CAPACITY_BYTES", 85520809984, "memory_capacity_mb", 81559],
    ["DCGM_FI_DEV_GPU_POWER_THROTTLE_SECONDS_TOTAL", 1.234567, "power_violation_ns", 1234567000],
    ["DCGM_FI_DEV_NVLINK_THROUGHPUT_BYTES_PER_SECOND", 12_345 * 1024, "nvlink_bandwidth_total", 12.345],
    ["DCGM_FI_DEV_NVLINK_THROUGHPUT_TOTAL", 12.345, "nvlink_bandwidth_total", 12.345],
    ["DCGM_FI_PROF_TENSOR_UTIL_RATIO", 0.87, "tensor_active", 0.87],
    ["DCGM_FI_DEV_GPU_UTIL", 87, "gpu_utilization", 87],
    ["dcgm_gpu_utilization", 87, "gpu_utilization", 87],
    ["dcgm_sm_clock", 1980, "sm_clock_mhz", 1980],
    ["nvidia_smi_utilization_gpu_ratio", 0.87, "gpu_utilization", 87],
    ["nvidia_smi_memory_used_bytes", 2.0780679168e10, "memory_used_mb", 19818],
    ["nvidia_smi_clocks_current_sm_clock_hz", 6e6, "sm_clock_mhz", 6],
    ["nvidia_smi_energy_joules_total", 0.001, "total_energy_mj", 1],
    ["gpu_energy_consumed", 1.4e17, "total_energy_mj", 1.4e14],
    ["GPU_USED_VRAM", 183265, "memory_used_mb", 183265],
    ["amd_gpu_junction_temperature", 76, "temperature", 76],
    ['gpu_clock{clock_type="GPU_CLOCK_TYPE_MEMORY"}', 1292, "memory_clock_mhz", 1292],
    ["memory.used [MiB]", 81, "memory_used_mb", 81],
    ["utilization.gpu", 55, "gpu_utilization", 55],
    ["sm_clock_mhz", 1980, "sm_clock_mhz", 1980],
  ])("%s", (name, value, metric, expected) => {
    expect([metricNameOf(name), read(name, value)]).toEqual([metric, expected]);
  });

  test("every ratio of two to four decimals gives the percentage with these digits", () => {
    for (let parts = 0; parts <= 10_000; parts += 1) {
      expect(read("DCGM_FI_DEV_MEMORY_UTIL_RATIO", Number((parts / 10_000).toFixed(6)))).toBe(
        Number((parts / 100).toFixed(2)),
      );
    }
  });
});

describe("a number means 'no value' by the width of its own field, in the unit of the input", () => {
  test.each([
    ["DCGM_FI_DEV_FB_USED_BYTES", 2147483632, 2147483632 / 2 ** 20],
    ["DCGM_FI_DEV_FB_USED", 2147483632, "missing"],
    ["DCGM_FI_DEV_FB_USED_BYTES", 9223372036854775792, "missing"],
    ["DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL", 2147483632, 2147483632000],
    ["DCGM_FI_DEV_SM_CLOCK_HERTZ", 140737488355328, "missing"],
    ["DCGM_FI_DEV_ENC_UTIL_RATIO", 140737488355328, "missing"],
    ["DCGM_FI_DEV_ENC_UTIL_RATIO", 87, "out_of_range"],
    ["gpu_power_usage", 255, 255],
    ["gpu_power_usage", 65535, "missing"],
    ["gpu_power_usage", 32767, "out_of_range"],
    ["gpu_used_vram", 65535, 65535],
    ["gpu_used_vram", 4294967295, "missing"],
    ["gpu_energy_consumed", 4294967295, 4294967.295],
    ["gpu_energy_consumed", 18446744073709551615, "missing"],
    ["DCGM_FI_DEV_SM_CLOCK_HERTZ", NaN, "out_of_range"],
    ["DCGM_FI_DEV_SM_CLOCK_HERTZ", Infinity, "out_of_range"],
  ] as const)("%s %d", (name, value, expected) => {
    expect(read(name, value)).toBe(expected);
  });
});

test("a ratio whose unit is not decided is no percentage: only 0 and numbers above 1 are read", () => {
  const name = "DCGM_FI_DEV_GPU_UTIL_RATIO";
  expect([0, 0.87, 1, 2, 87, 808334905].map((value) => read(name, value))).toEqual([
    ...([0, "undecided", "undecided", 2, 87, "out_of_range"] as const),
  ]);
  expect(ratioUnitOf([name, "DCGM_FI_DEV_SM_CLOCK_HERTZ", "DCGM_FI_DEV_GPU_TEMP_CELSIUS"])).toBeUndefined();
  expect(ratioUnitOf([name, "DCGM_FI_DEV_FB_CAPACITY_BYTES"])).toBe("ratio");
  expect(ratioUnitOf([name, "DCGM_FI_SYSTEM_DRIVER_VERSION"])).toBe("ratio");
});

test("an exporter speaks the dialect of most of its names", () => {
  expect(dialectOf(["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_PROF_PCIE_TX_BYTES"])).toBe("dcgm");
  expect(dialectOf(["DCGM_FI_DEV_SM_CLOCK_HERTZ", "DCGM_FI_DEV_GPU_TEMP_CELSIUS", "DCGM_FI_DEV_DEC_UTIL"])).toBe(
    "dcgm-4.9",
  );
  expect(dialectOf(["dcgm_gpu_temp", "dcgm_pcie_tx_throughput"])).toBe("dcgm-1");
  expect(dialectOf(["nvidia_smi_gpu_info", "nvidia_smi_pstate", "go_goroutines"])).toBe("nvidia_gpu_exporter");
  expect(dialectOf(["gpu_package_power", "gpu_nodes_total", "pcie_speed"])).toBe("amd");
  expect(dialectOf(["go_goroutines", "process_cpu_seconds_total"])).toBeUndefined();
});

test("rates and counts in a window are gauges, whatever the exporter declares them as; their series add up", () => {
  const names = ["nvlink_bandwidth_total", "nvlink_bandwidth_l0_bytes", "pcie_tx_bytes", "pcie_rx_bytes"];
  const found = [...names, "xid_errors", "clock_events"].map((name) => metrics.find((metric) => metric.name === name));
  expect(found.map((metric) => [metric?.name, metric?.kind, metric?.fold, metric?.unit])).toEqual([
    ["nvlink_bandwidth_total", "gauge", "sum", "MB/s"],
    ["nvlink_bandwidth_l0_bytes", "gauge", "sum", "MB/s"],
    ["pcie_tx_bytes", "gauge", "sum", "bytes/s"],
    ["pcie_rx_bytes", "gauge", "sum", "bytes/s"],
    ["xid_errors", "gauge", "sum", "errors"],
    ["clock_events", "gauge", "sum", "events"],
  ]);
});
