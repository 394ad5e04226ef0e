import { expect, test } from "bun:test";
import type { CustomValue } from "../../src/domain/batch.ts";
import { meantMetric, OwnMetrics } from "../../src/pipeline/source/own-metrics.ts";

test.each([
  ["DCGM_FI_DEV_GPU_TEMPP", "DCGM_FI_DEV_GPU_TEMP"],
  ["DCGM_FI_DEV_GPU_UTLI", "DCGM_FI_DEV_GPU_UTIL"],
  ["dcgm_fi_dev_gpu_temp", "DCGM_FI_DEV_GPU_TEMP"],
  ["gpu_utilisation", "gpu_utilization"],
  ["gpuUtilization", "gpu_utilization"],
  ["temprature", "temperature"],
  ["power.drwa", "power_draw"],
])("%s is likely a misspelling of %s", (name, meant) => {
  expect(meantMetric(name)).toBe(meant);
});

test.each([
  ...["DCGM_FI_DEV_NVLINK_TX_BANDWIDTH_TOTAL", "DCGM_FI_DEV_NVLINK_RX_BANDWIDTH_L0", "DCGM_FI_DEV_NVLINK_BANDWIDTH_L1"],
  ...["DCGM_FI_PROF_PIPE_TENSOR_IMMA_ACTIVE", "DCGM_FI_PROF_PIPE_INT_ACTIVE", "DCGM_FI_PROF_PIPE_FP8_ACTIVE"],
  ...["DCGM_FI_DEV_MAX_SM_CLOCK", "DCGM_FI_DEV_APP_MEM_CLOCK", "DCGM_FI_DEV_GPU_TEMP_LIMIT", "DCGM_FI_DEV_FAN_SPEED"],
  ...["DCGM_FI_DEV_ECC_DBE_VOL_DEV", "DCGM_FI_DEV_BAR1_USED", "DCGM_FI_DEV_POWER_USAGE_INSTANT", "fan_rpm", "loss"],
])("%s is another metric, no misspelling", (name) => {
  expect(meantMetric(name)).toBeUndefined();
});

const valueOf = (metric: string): CustomValue => ({ record: 0, metric, value: 1 });

test("metrics outside the catalogue are found once each, without the labelled series of those in it", () => {
  const found = new OwnMetrics();
  const custom = ["loss", 'xid_errors{xid="31"}', 'gpu_tempp{vgpu="1"}', 'gpu_tempp{vgpu="2"}', "loss"].map(valueOf);
  expect(found.add({ custom }).map(({ name }) => name)).toEqual(["loss", "gpu_tempp"]);
  expect(found.add({ custom: [...custom, valueOf("gpu_utilisation")] })).toEqual([
    { name: "gpu_utilisation", meant: "gpu_utilization" },
  ]);
  expect(found.all.map(({ name }) => name)).toEqual(["loss", "gpu_tempp", "gpu_utilisation"]);
});

test("a source that makes names up is remembered up to a limit", () => {
  const found = new OwnMetrics();
  for (let index = 0; index < 20_000; index += 1) found.add({ custom: [valueOf(`loss_${index}`)] });
  expect(found.all).toHaveLength(1000);
});
