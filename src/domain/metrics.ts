/** A number that DCGM measures. It is a column of the store and a field of the API. */
export interface Metric {
  /** Our name, in the store and the API. */
  readonly name: string;
  readonly dcgmField: string;
  /** DCGM's field id; undefined for the exporter's own metrics (`DCGM_EXP_*`). */
  readonly dcgmFieldId: number | undefined;
  readonly unit: string;
  readonly kind: "gauge" | "counter";
  /** The plausible range is from `min` to `max`, both included. A value outside is rejected as
   *  `value_out_of_range`, unless it means 'no value'. */
  readonly min: number;
  readonly max: number;
  readonly description: string;
  /** `instance`: each MIG instance of a GPU has its own value. `board`: the value is the whole GPU's, even if the exporter
   *  repeats it for each instance; only the GPU's record has it. */
  readonly scope: "board" | "instance";
  /** How the plain value of a record follows from labelled series of the metric: their sum, for counts; their greatest value,
   *  for states, levels and codes. Series that differ only by vgpu or window_size_in_ms count once (see fold.ts). */
  readonly fold: "sum" | "max";
  /** The width of the number that the driver reports, which decides the numbers that mean 'no value' (value.ts). DCGM itself
   *  stores every integer in 64 bits. */
  readonly width: "int32" | "int64" | "fp64";
}

/** A text that DCGM reports about a GPU: a property of the GPU, not a measurement. */
export interface LabelField {
  readonly name: string;
  readonly dcgmField: string;
  readonly dcgmFieldId: number;
  readonly description: string;
}

/** 4 TiB: far above the size of any framebuffer, and far below the numbers that mean 'no value' (value.ts). */
const framebufferMaxMebibytes = 4 * 1024 * 1024;
/** 2^53 - 1: beyond 2^53, a double cannot represent every integer. */
const counterMax = Number.MAX_SAFE_INTEGER;
/** A ratio is computed from two counters, and may exceed 1 because of rounding. */
const ratioMax = 1.01;

type MetricRow = readonly [
  name: string,
  dcgmField: string,
  dcgmFieldId: number | undefined,
  unit: string,
  kind: Metric["kind"],
  min: number,
  max: number,
  description: string,
];

// prettier-ignore
const metricRows: readonly MetricRow[] = [
  ["gpu_utilization", "DCGM_FI_DEV_GPU_UTIL", 203, "percent", "gauge", 0, 100, "GPU utilization"],
  ["memory_utilization", "DCGM_FI_DEV_MEM_COPY_UTIL", 204, "percent", "gauge", 0, 100, "Memory bandwidth utilization"],
  ["memory_used_mb", "DCGM_FI_DEV_FB_USED", 252, "MiB", "gauge", 0, framebufferMaxMebibytes, "Framebuffer memory used"],
  ["memory_free_mb", "DCGM_FI_DEV_FB_FREE", 251, "MiB", "gauge", 0, framebufferMaxMebibytes, "Framebuffer memory free"],
  ["temperature", "DCGM_FI_DEV_GPU_TEMP", 150, "celsius", "gauge", -40, 150, "GPU temperature"],
  ["power_draw", "DCGM_FI_DEV_POWER_USAGE", 155, "watts", "gauge", 0, 5000, "Power draw"],
  ["sm_clock_mhz", "DCGM_FI_DEV_SM_CLOCK", 100, "MHz", "gauge", 0, 10000, "SM clock frequency"],
  ["memory_clock_mhz", "DCGM_FI_DEV_MEM_CLOCK", 101, "MHz", "gauge", 0, 20000, "Memory clock frequency"],
  ["enc_utilization", "DCGM_FI_DEV_ENC_UTIL", 206, "percent", "gauge", 0, 100, "Encoder utilization"],
  ["dec_utilization", "DCGM_FI_DEV_DEC_UTIL", 207, "percent", "gauge", 0, 100, "Decoder utilization"],
  ["memory_temperature", "DCGM_FI_DEV_MEMORY_TEMP", 140, "celsius", "gauge", -40, 150, "Memory temperature"],
  ["memory_reserved_mb", "DCGM_FI_DEV_FB_RESERVED", 253, "MiB", "gauge", 0, framebufferMaxMebibytes, "Framebuffer memory reserved by the driver"],
  ["total_energy_mj", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 156, "millijoules", "counter", 0, counterMax, "Energy consumed since boot"],
  ["xid_error", "DCGM_FI_DEV_XID_ERRORS", 230, "XID code", "gauge", 0, 100000, "Last XID error encountered, 0 for none"],
  ["pcie_replay_total", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", 202, "retries", "counter", 0, counterMax, "PCIe retries"],
  ["vgpu_license_status", "DCGM_FI_DEV_VGPU_LICENSE_STATUS", 526, "status", "gauge", 0, 10, "vGPU licence status"],
  ["correctable_remapped_rows", "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", 394, "rows", "counter", 0, counterMax, "Rows remapped for correctable errors"],
  ["uncorrectable_remapped_rows", "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", 393, "rows", "counter", 0, counterMax, "Rows remapped for uncorrectable errors"],
  ["row_remap_failure", "DCGM_FI_DEV_ROW_REMAP_FAILURE", 395, "flag", "gauge", 0, 1, "Whether remapping of rows has failed, 1 for yes"],
  ["nvlink_bandwidth_total", "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", 449, "MB/s", "gauge", 0, counterMax, "NVLink throughput of all lanes, as DCGM computes it: KiB per second, divided by 1,000"],
  ["nvlink_bandwidth_l0_bytes", "DCGM_FI_DEV_NVLINK_BANDWIDTH_L0", 440, "MB/s", "gauge", 0, counterMax, "NVLink throughput of lane 0, header and payload, as DCGM computes it: KiB per second, divided by 1,000"],
  ["nvlink_crc_data_error_total", "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", 419, "errors", "counter", 0, counterMax, "NVLink data CRC errors"],
  ["nvlink_crc_flit_error_total", "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", 409, "errors", "counter", 0, counterMax, "NVLink flow-control CRC errors"],
  ["nvlink_recovery_error_total", "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", 439, "errors", "counter", 0, counterMax, "NVLink recovery errors"],
  ["nvlink_replay_error_total", "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", 429, "retries", "counter", 0, counterMax, "NVLink retries"],
  ["power_violation_ns", "DCGM_FI_DEV_POWER_VIOLATION", 240, "nanoseconds", "counter", 0, counterMax, "Time throttled by the power limit"],
  ["thermal_violation_ns", "DCGM_FI_DEV_THERMAL_VIOLATION", 241, "nanoseconds", "counter", 0, counterMax, "Time throttled by temperature"],
  ["sync_boost_violation_ns", "DCGM_FI_DEV_SYNC_BOOST_VIOLATION", 242, "nanoseconds", "counter", 0, counterMax, "Time throttled by sync boost"],
  ["board_limit_violation_ns", "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION", 243, "nanoseconds", "counter", 0, counterMax, "Time throttled by the board limit"],
  ["low_util_violation_ns", "DCGM_FI_DEV_LOW_UTIL_VIOLATION", 244, "nanoseconds", "counter", 0, counterMax, "Time throttled by low utilization"],
  ["reliability_violation_ns", "DCGM_FI_DEV_RELIABILITY_VIOLATION", 245, "nanoseconds", "counter", 0, counterMax, "Time throttled by the reliability limit"],
  ["ecc_sbe_volatile_total", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", 310, "errors", "counter", 0, counterMax, "Single-bit volatile ECC errors"],
  ["ecc_dbe_volatile_total", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", 311, "errors", "counter", 0, counterMax, "Double-bit volatile ECC errors"],
  ["ecc_sbe_aggregate_total", "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", 312, "errors", "counter", 0, counterMax, "Single-bit persistent ECC errors"],
  ["ecc_dbe_aggregate_total", "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", 313, "errors", "counter", 0, counterMax, "Double-bit persistent ECC errors"],
  ["retired_pages_sbe", "DCGM_FI_DEV_RETIRED_SBE", 390, "pages", "counter", 0, counterMax, "Pages retired for single-bit errors"],
  ["retired_pages_dbe", "DCGM_FI_DEV_RETIRED_DBE", 391, "pages", "counter", 0, counterMax, "Pages retired for double-bit errors"],
  ["retired_pages_pending", "DCGM_FI_DEV_RETIRED_PENDING", 392, "pages", "counter", 0, counterMax, "Pages pending retirement"],
  ["gr_engine_active", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", 1001, "ratio", "gauge", 0, ratioMax, "Share of time the graphics engine is active"],
  ["sm_active", "DCGM_FI_PROF_SM_ACTIVE", 1002, "ratio", "gauge", 0, ratioMax, "Share of cycles an SM has a warp assigned"],
  ["sm_occupancy", "DCGM_FI_PROF_SM_OCCUPANCY", 1003, "ratio", "gauge", 0, ratioMax, "Warps on an SM, as a share of the warps that it can hold"],
  ["tensor_active", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 1004, "ratio", "gauge", 0, ratioMax, "Share of cycles the tensor pipe is active"],
  ["dram_active", "DCGM_FI_PROF_DRAM_ACTIVE", 1005, "ratio", "gauge", 0, ratioMax, "Share of cycles the device memory interface is active"],
  ["fp64_active", "DCGM_FI_PROF_PIPE_FP64_ACTIVE", 1006, "ratio", "gauge", 0, ratioMax, "Share of cycles the fp64 pipe is active"],
  ["fp32_active", "DCGM_FI_PROF_PIPE_FP32_ACTIVE", 1007, "ratio", "gauge", 0, ratioMax, "Share of cycles the fp32 pipe is active"],
  ["fp16_active", "DCGM_FI_PROF_PIPE_FP16_ACTIVE", 1008, "ratio", "gauge", 0, ratioMax, "Share of cycles the fp16 pipe is active"],
  ["pcie_tx_bytes", "DCGM_FI_PROF_PCIE_TX_BYTES", 1009, "bytes/s", "gauge", 0, counterMax, "Rate of data sent over PCIe, header and payload"],
  ["pcie_rx_bytes", "DCGM_FI_PROF_PCIE_RX_BYTES", 1010, "bytes/s", "gauge", 0, counterMax, "Rate of data received over PCIe, header and payload"],
  ["clock_events", "DCGM_EXP_CLOCK_EVENTS_COUNT", undefined, "events", "gauge", 0, counterMax, "Clock events in the exporter's window"],
  ["gpu_health_status", "DCGM_EXP_GPU_HEALTH_STATUS", undefined, "status", "counter", 0, counterMax, "Health status that DCGM reports"],
  ["p2p_status", "DCGM_EXP_P2P_STATUS", undefined, "status", "counter", 0, counterMax, "Peer-to-peer status of NVLink"],
  ["xid_errors", "DCGM_EXP_XID_ERRORS_COUNT", undefined, "errors", "gauge", 0, counterMax, "XID errors in the exporter's window"],
  ["memory_capacity_mb", "DCGM_FI_DEV_FB_TOTAL", 250, "MiB", "gauge", 0, framebufferMaxMebibytes, "Framebuffer memory in total"],
  ["clock_event_reasons", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", 112, "bitmask", "gauge", 0, counterMax, "Reasons why the clocks are reduced, one bit for each"],
  ["row_remap_pending", "DCGM_FI_DEV_ROW_REMAP_PENDING", 396, "flag", "gauge", 0, 1, "Whether remapping of rows waits for a reset, 1 for yes"],
  ["xid_errors_total", "DCGM_EXP_XID_ERRORS_TOTAL", undefined, "errors", "counter", 0, counterMax, "XID errors since the exporter started"],
  ["clock_events_total", "DCGM_EXP_CLOCK_EVENTS_TOTAL", undefined, "events", "counter", 0, counterMax, "Clock events since the exporter started"],
];

// prettier-ignore
const labelRows: readonly (readonly [name: string, dcgmField: string, dcgmFieldId: number, description: string])[] = [
  ["brand", "DCGM_FI_DEV_BRAND", 51, "Device brand"],
  ["serial", "DCGM_FI_DEV_SERIAL", 53, "Device serial number"],
  ["oem_inforom_version", "DCGM_FI_DEV_OEM_INFOROM_VER", 56, "OEM inforom version"],
  ["ecc_inforom_version", "DCGM_FI_DEV_ECC_INFOROM_VER", 80, "ECC inforom version"],
  ["power_inforom_version", "DCGM_FI_DEV_POWER_INFOROM_VER", 81, "Power management inforom version"],
  ["inforom_image_version", "DCGM_FI_DEV_INFOROM_IMAGE_VER", 82, "Inforom image version"],
  ["vbios_version", "DCGM_FI_DEV_VBIOS_VERSION", 85, "VBIOS version"],
  ["driver_version", "DCGM_FI_DRIVER_VERSION", 1, "Driver version"],
  ["nvml_version", "DCGM_FI_NVML_VERSION", 2, "NVML version"],
];

/** The metrics that each MIG instance has for itself. */
const instanceMetrics: ReadonlySet<string> = new Set([
  ...["gpu_utilization", "memory_utilization", "enc_utilization", "dec_utilization"],
  ...["memory_used_mb", "memory_free_mb", "memory_reserved_mb", "memory_capacity_mb"],
]);
/** Metrics that the exporter declares as counters although they are states, whose values cannot be summed. */
const states: ReadonlySet<string> = new Set(["gpu_health_status", "p2p_status"]);
/** Gauges whose series are parts of a whole: rates, and counts within the exporter's window, which fall again. The exporter declares
 *  some of them as counters. */
const sums: ReadonlySet<string> = new Set([
  ...["nvlink_bandwidth_total", "nvlink_bandwidth_l0_bytes", "pcie_tx_bytes", "pcie_rx_bytes"],
  ...["xid_errors", "clock_events"],
]);
/** Counters, rates and bitmasks of 64 bits: each of them may have the blank of a narrower number as its value. */
const int64Metrics: ReadonlySet<string> = new Set([
  ...["total_energy_mj", "pcie_tx_bytes", "pcie_rx_bytes", "nvlink_bandwidth_total", "nvlink_bandwidth_l0_bytes"],
  ...["nvlink_crc_data_error_total", "nvlink_crc_flit_error_total"],
  ...["nvlink_recovery_error_total", "nvlink_replay_error_total"],
  ...["power_violation_ns", "thermal_violation_ns", "sync_boost_violation_ns"],
  ...["board_limit_violation_ns", "low_util_violation_ns", "reliability_violation_ns"],
  ...["ecc_sbe_volatile_total", "ecc_dbe_volatile_total", "ecc_sbe_aggregate_total", "ecc_dbe_aggregate_total"],
  "clock_event_reasons",
]);
/** Units of metrics that DCGM reports as doubles. */
const fp64Units: ReadonlySet<string> = new Set(["ratio", "watts"]);

/** The catalogue: the only place that declares metrics. To add a metric, append an entry. `bun run db:generate` then
 *  generates the migration (a new column of telemetry), and `bun run generate:client`
 *  generates the client's types. The SQL schema, validation, REST, GraphQL and /ws read the catalogue. A `metricIndex` is an
 *  index into this list.
 *  Source: the counter lists of dcgm-exporter. The ranges are our own. */
export const metrics: readonly Metric[] = metricRows.map(
  ([name, dcgmField, dcgmFieldId, unit, kind, min, max, description]) => ({
    name,
    dcgmField,
    dcgmFieldId,
    unit,
    kind,
    min,
    max,
    description,
    scope: instanceMetrics.has(name) || unit === "ratio" ? "instance" : "board",
    fold: sums.has(name) || (kind === "counter" && !states.has(name)) ? "sum" : "max",
    width: fp64Units.has(unit) ? "fp64" : int64Metrics.has(name) ? "int64" : "int32",
  }),
);

/** Our names of the metrics, in the catalogue's order. */
export const metricNames: readonly string[] = metrics.map(({ name }) => name);

/** The texts of the catalogue. In the store and the API, they are properties of a GPU, except driver_version, which is a field
 *  of its own. */
export const labelFields: readonly LabelField[] = labelRows.map(([name, dcgmField, dcgmFieldId, description]) => ({
  name,
  dcgmField,
  dcgmFieldId,
  description,
}));

const metricIndexByName: ReadonlyMap<string, number> = new Map(
  metrics.flatMap((metric, index) => [
    [metric.name, index],
    [metric.dcgmField, index],
  ]),
);

/** DCGM's names of the label fields, those of DCGM 4.7 included, each with our name. */
export const labelSpellings: readonly (readonly [spelling: string, name: string])[] = [
  ...labelFields.map(({ dcgmField, name }) => [dcgmField, name] as const),
  ["DCGM_FI_SYSTEM_DRIVER_VERSION", "driver_version"],
  ["DCGM_FI_SYSTEM_NVML_VERSION", "nvml_version"],
];

const labelNameByField: ReadonlyMap<string, string> = new Map(labelSpellings);

/** The metric of a name that our own processes write; spellings of inputs and clients are in dialects/.
 *  @param name our name or DCGM's field name
 *  @returns the metric's index in `metrics`; undefined if the catalogue does not have it */
export function metricIndexOf(name: string): number | undefined {
  return metricIndexByName.get(name);
}

/** @returns our name of a label field (`DCGM_FI_DEV_SERIAL` -> `serial`); undefined if the catalogue does not have the field */
export function labelNameOf(dcgmField: string): string | undefined {
  return labelNameByField.get(dcgmField);
}
