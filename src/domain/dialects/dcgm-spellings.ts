import { fromBytes, fromHertz, fromJoules, fromNvlinkBytes, fromRatio, fromSeconds, same } from "./scale.ts";
import type { SpellingRow } from "./spelling.ts";

/** DCGM has had this name for a percentage (field 203, in DCGM 4.6), and has it for a ratio (field 1613, from DCGM 4.7). */
export const ambiguousRatio = "DCGM_FI_DEV_GPU_UTIL_RATIO";

/** The names of DCGM 4.7, which dcgm-exporter 4.9 has by default. The fields 1600-1648 have SI units and their own widths; the other
 *  names are aliases.
 *  Source: go-dcgm, const_fields.go and base_unit_fields_test.go; NVIDIA's DCGM 4.7.0 documentation for the fields from 1613 on */
// prettier-ignore
export const dcgm47Spellings: readonly SpellingRow[] = [
  [ambiguousRatio, "gpu_utilization", fromRatio, "fp64"],
  ["DCGM_FI_DEV_MEMORY_UTIL_RATIO", "memory_utilization", fromRatio, "fp64"],
  ["DCGM_FI_DEV_ENC_UTIL_RATIO", "enc_utilization", fromRatio, "fp64"],
  ["DCGM_FI_DEV_DEC_UTIL_RATIO", "dec_utilization", fromRatio, "fp64"],
  ["DCGM_FI_DEV_FB_USED_BYTES", "memory_used_mb", fromBytes, "int64"],
  ["DCGM_FI_DEV_FB_FREE_BYTES", "memory_free_mb", fromBytes, "int64"],
  ["DCGM_FI_DEV_FB_RESERVED_BYTES", "memory_reserved_mb", fromBytes, "int64"],
  ["DCGM_FI_DEV_FB_CAPACITY_BYTES", "memory_capacity_mb", fromBytes, "int64"],
  ["DCGM_FI_DEV_SM_CLOCK_HERTZ", "sm_clock_mhz", fromHertz, "int64"],
  ["DCGM_FI_DEV_MEMORY_CLOCK_HERTZ", "memory_clock_mhz", fromHertz, "int64"],
  ["DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL", "total_energy_mj", fromJoules, "int64"],
  ["DCGM_FI_DEV_GPU_POWER_THROTTLE_SECONDS_TOTAL", "power_violation_ns", fromSeconds, "fp64"],
  ["DCGM_FI_DEV_GPU_THERMAL_THROTTLE_SECONDS_TOTAL", "thermal_violation_ns", fromSeconds, "fp64"],
  ["DCGM_FI_DEV_NVLINK_THROUGHPUT_TOTAL", "nvlink_bandwidth_total", same],
  ["DCGM_FI_DEV_NVLINK_THROUGHPUT_BYTES_PER_SECOND", "nvlink_bandwidth_total", fromNvlinkBytes, "int64"],
  ["DCGM_FI_DEV_NVLINK_THROUGHPUT_L0", "nvlink_bandwidth_l0_bytes", same],
  ["DCGM_FI_DEV_NVLINK_THROUGHPUT_L0_BYTES_PER_SECOND", "nvlink_bandwidth_l0_bytes", fromNvlinkBytes, "int64"],
  ["DCGM_FI_DEV_GPU_TEMP_CELSIUS", "temperature", same],
  ["DCGM_FI_DEV_MEMORY_TEMP_CELSIUS", "memory_temperature", same],
  ["DCGM_FI_DEV_BOARD_POWER_WATTS", "power_draw", same],
  ["DCGM_FI_DEV_XID_ERROR", "xid_error", same],
  ["DCGM_FI_DEV_PCIE_REPLAY_TOTAL", "pcie_replay_total", same],
  ["DCGM_FI_DEV_ROW_REMAP_CORRECTABLE_TOTAL", "correctable_remapped_rows", same],
  ["DCGM_FI_DEV_ROW_REMAP_UNCORRECTABLE_TOTAL", "uncorrectable_remapped_rows", same],
  ["DCGM_FI_DEV_ROW_REMAP_FAILED", "row_remap_failure", same],
  ["DCGM_FI_DEV_PAGE_RETIRED_SBE_TOTAL", "retired_pages_sbe", same],
  ["DCGM_FI_DEV_PAGE_RETIRED_DBE_TOTAL", "retired_pages_dbe", same],
  ["DCGM_FI_DEV_PAGE_RETIRED_PENDING", "retired_pages_pending", same],
  ["DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "clock_event_reasons", same],
  ["DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_TOTAL", "nvlink_crc_flit_error_total", same],
  ["DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_TOTAL", "nvlink_crc_data_error_total", same],
  ["DCGM_FI_DEV_NVLINK_REPLAY_ERROR_TOTAL", "nvlink_replay_error_total", same],
  ["DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_TOTAL", "nvlink_recovery_error_total", same],
  ["DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", "gr_engine_active", same],
  ["DCGM_FI_PROF_SM_UTIL_RATIO", "sm_active", same],
  ["DCGM_FI_PROF_SM_OCCUPANCY_RATIO", "sm_occupancy", same],
  ["DCGM_FI_PROF_TENSOR_UTIL_RATIO", "tensor_active", same],
  ["DCGM_FI_PROF_DRAM_UTIL_RATIO", "dram_active", same],
  ["DCGM_FI_PROF_FP64_UTIL_RATIO", "fp64_active", same],
  ["DCGM_FI_PROF_FP32_UTIL_RATIO", "fp32_active", same],
  ["DCGM_FI_PROF_FP16_UTIL_RATIO", "fp16_active", same],
];

/** The names of dcgm-exporter 1.x, with the units of the older names.
 *  Source: go-dcgm, legacy_fields.csv */
// prettier-ignore
export const dcgm1Spellings: readonly SpellingRow[] = [
  ["dcgm_gpu_utilization", "gpu_utilization", same],
  ["dcgm_mem_copy_utilization", "memory_utilization", same],
  ["dcgm_enc_utilization", "enc_utilization", same],
  ["dcgm_dec_utilization", "dec_utilization", same],
  ["dcgm_fb_used", "memory_used_mb", same],
  ["dcgm_fb_free", "memory_free_mb", same],
  ["dcgm_gpu_temp", "temperature", same],
  ["dcgm_memory_temp", "memory_temperature", same],
  ["dcgm_power_usage", "power_draw", same],
  ["dcgm_total_energy_consumption", "total_energy_mj", same],
  ["dcgm_sm_clock", "sm_clock_mhz", same],
  ["dcgm_memory_clock", "memory_clock_mhz", same],
  ["dcgm_xid_errors", "xid_error", same],
  ["dcgm_pcie_replay_counter", "pcie_replay_total", same],
  ["dcgm_nvlink_bandwidth_total", "nvlink_bandwidth_total", same],
  ["dcgm_nvlink_flit_crc_error_count_total", "nvlink_crc_flit_error_total", same],
  ["dcgm_nvlink_data_crc_error_count_total", "nvlink_crc_data_error_total", same],
  ["dcgm_nvlink_replay_error_count_total", "nvlink_replay_error_total", same],
  ["dcgm_nvlink_recovery_error_count_total", "nvlink_recovery_error_total", same],
  ["dcgm_power_violation", "power_violation_ns", same],
  ["dcgm_thermal_violation", "thermal_violation_ns", same],
  ["dcgm_sync_boost_violation", "sync_boost_violation_ns", same],
  ["dcgm_board_limit_violation", "board_limit_violation_ns", same],
  ["dcgm_low_util_violation", "low_util_violation_ns", same],
  ["dcgm_reliability_violation", "reliability_violation_ns", same],
  ["dcgm_ecc_sbe_volatile_total", "ecc_sbe_volatile_total", same],
  ["dcgm_ecc_dbe_volatile_total", "ecc_dbe_volatile_total", same],
  ["dcgm_ecc_sbe_aggregate_total", "ecc_sbe_aggregate_total", same],
  ["dcgm_ecc_dbe_aggregate_total", "ecc_dbe_aggregate_total", same],
  ["dcgm_retired_pages_sbe", "retired_pages_sbe", same],
  ["dcgm_retired_pages_dbe", "retired_pages_dbe", same],
  ["dcgm_retired_pages_pending", "retired_pages_pending", same],
  ["dcgm_fi_prof_gr_engine_active", "gr_engine_active", same],
  ["dcgm_fi_prof_sm_active", "sm_active", same],
  ["dcgm_fi_prof_sm_occupancy", "sm_occupancy", same],
  ["dcgm_fi_prof_pipe_tensor_active", "tensor_active", same],
  ["dcgm_fi_prof_dram_active", "dram_active", same],
  ["dcgm_fi_prof_pcie_tx_bytes", "pcie_tx_bytes", same],
  ["dcgm_fi_prof_pcie_rx_bytes", "pcie_rx_bytes", same],
];

/** The names of fields that DCGM has from 4.7 on: an input with one of them has `ambiguousRatio` as a ratio. The SI units of clocks
 *  and energy are older. */
export const dcgm47Only: ReadonlySet<string> = new Set([
  ...["DCGM_FI_SYSTEM_DRIVER_VERSION", "DCGM_FI_SYSTEM_NVML_VERSION", "DCGM_FI_SYSTEM_PROCESS_NAME"],
  ...["DCGM_FI_DEV_MEMORY_UTIL_RATIO", "DCGM_FI_DEV_ENC_UTIL_RATIO", "DCGM_FI_DEV_DEC_UTIL_RATIO"],
  ...["DCGM_FI_DEV_FB_CAPACITY_BYTES", "DCGM_FI_DEV_FB_USED_BYTES"],
  ...["DCGM_FI_DEV_FB_FREE_BYTES", "DCGM_FI_DEV_FB_RESERVED_BYTES"],
  ...["DCGM_FI_DEV_GPU_POWER_THROTTLE_SECONDS_TOTAL", "DCGM_FI_DEV_GPU_THERMAL_THROTTLE_SECONDS_TOTAL"],
  ...["DCGM_FI_DEV_NVLINK_THROUGHPUT_BYTES_PER_SECOND", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L0_BYTES_PER_SECOND"],
]);
