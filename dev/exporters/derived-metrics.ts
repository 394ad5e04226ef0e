import { simulatedMetrics } from "../../src/pipeline/source/simulated/simulated-metrics.ts";

/** A metric that exporters have by default and the fleet has not: a function of one of the fleet's metrics. */
interface DerivedMetric {
  readonly metric: string;
  readonly from: (typeof simulatedMetrics)[number];
  readonly value: (of: number) => number;
}

const sixDecimals = (value: number): number => Math.round(value * 1e6) / 1e6;

/** Metrics of an instance follow from those of instances, metrics of a board from those of boards. */
export const derivedMetrics: readonly DerivedMetric[] = [
  { metric: "DCGM_FI_PROF_GR_ENGINE_ACTIVE", from: "DCGM_FI_DEV_GPU_UTIL", value: (percent) => percent / 100 },
  { metric: "DCGM_FI_PROF_SM_ACTIVE", from: "DCGM_FI_DEV_GPU_UTIL", value: (p) => sixDecimals((p / 100) * 0.87) },
  { metric: "DCGM_FI_PROF_SM_OCCUPANCY", from: "DCGM_FI_DEV_GPU_UTIL", value: (p) => sixDecimals((p / 100) * 0.41) },
  { metric: "DCGM_FI_DEV_FB_RESERVED", from: "DCGM_FI_DEV_FB_FREE", value: () => 552 },
  {
    metric: "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
    from: "DCGM_FI_DEV_POWER_USAGE",
    value: (watts) => Math.round(watts * 310),
  },
  { metric: "DCGM_FI_PROF_PCIE_TX_BYTES", from: "DCGM_FI_DEV_POWER_USAGE", value: (w) => Math.round(w * 2_100_000) },
  { metric: "DCGM_FI_PROF_PCIE_RX_BYTES", from: "DCGM_FI_DEV_POWER_USAGE", value: (w) => Math.round(w * 3_900_000) },
  { metric: "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", from: "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", value: () => 0 },
  { metric: "DCGM_FI_DEV_ROW_REMAP_FAILURE", from: "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", value: () => 0 },
];

/** The metrics that an exporter has of each GPU. */
export const exporterMetrics: readonly string[] = [...simulatedMetrics, ...derivedMetrics.map(({ metric }) => metric)];
