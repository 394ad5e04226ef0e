/** The metrics that a simulated GPU emits, by their DCGM names: the ten of a common exporter configuration, then those that
 *  show its health and the kind of its load. */
export const simulatedMetrics = [
  "DCGM_FI_DEV_GPU_UTIL",
  "DCGM_FI_DEV_MEM_COPY_UTIL",
  "DCGM_FI_DEV_POWER_USAGE",
  "DCGM_FI_DEV_GPU_TEMP",
  "DCGM_FI_DEV_FB_USED",
  "DCGM_FI_DEV_FB_FREE",
  "DCGM_FI_DEV_DEC_UTIL",
  "DCGM_FI_DEV_ENC_UTIL",
  "DCGM_FI_DEV_SM_CLOCK",
  "DCGM_FI_DEV_MEM_CLOCK",
  "DCGM_FI_DEV_MEMORY_TEMP",
  "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
  "DCGM_FI_DEV_XID_ERRORS",
  "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
  "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
  "DCGM_FI_PROF_DRAM_ACTIVE",
  "DCGM_FI_DEV_THERMAL_VIOLATION",
] as const;

/** The metrics that the GPUs of a fleet with chosen faults emit besides: those that the rules of faults judge. */
export const healthMetrics = [
  "DCGM_FI_PROF_SM_ACTIVE",
  "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
  "DCGM_FI_DEV_POWER_VIOLATION",
  "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
  "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
  "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL",
  "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL",
  "DCGM_FI_DEV_ROW_REMAP_FAILURE",
  "DCGM_FI_DEV_ROW_REMAP_PENDING",
  "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
  "DCGM_FI_DEV_RETIRED_PENDING",
  "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL",
  "DCGM_FI_DEV_FABRIC_HEALTH_SUMMARY",
  "DCGM_EXP_GPU_HEALTH_STATUS",
  "DCGM_EXP_P2P_STATUS",
  "DCGM_FI_DEV_PCIE_LINK_WIDTH",
  "DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH",
  "DCGM_FI_DEV_PCIE_LINK_GEN",
  "DCGM_FI_DEV_PCIE_MAX_LINK_GEN",
] as const;

export type SimulatedMetric = (typeof simulatedMetrics)[number];
export type HealthMetric = (typeof healthMetrics)[number];

/** One value per metric, rounded as DCGM rounds it. */
export type Readings = Readonly<Record<SimulatedMetric, number>>;
export type HealthReadings = Readonly<Record<HealthMetric, number>>;
