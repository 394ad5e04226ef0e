import { fromBytes, fromHertz, fromJoules, fromMicrojoules, fromRatio, same } from "./scale.ts";
import type { SpellingRow } from "./spelling.ts";

/** nvidia_gpu_exporter prints values of nvidia-smi in SI units, and leaves out those that mean 'no value'. The metrics of MIG
 *  instances (`mig_`) have the labels uuid and gpu_instance_id.
 *  Source: utkuozdemir/nvidia_gpu_exporter, docs/METRICS.md and internal/integration/testdata */
// prettier-ignore
export const nvidiaGpuExporterSpellings: readonly SpellingRow[] = [
  ["nvidia_smi_utilization_gpu_ratio", "gpu_utilization", fromRatio, "fp64"],
  ["nvidia_smi_utilization_memory_ratio", "memory_utilization", fromRatio, "fp64"],
  ["nvidia_smi_utilization_encoder_ratio", "enc_utilization", fromRatio, "fp64"],
  ["nvidia_smi_utilization_decoder_ratio", "dec_utilization", fromRatio, "fp64"],
  ["nvidia_smi_memory_used_bytes", "memory_used_mb", fromBytes, "int64"],
  ["nvidia_smi_memory_free_bytes", "memory_free_mb", fromBytes, "int64"],
  ["nvidia_smi_memory_reserved_bytes", "memory_reserved_mb", fromBytes, "int64"],
  ["nvidia_smi_memory_total_bytes", "memory_capacity_mb", fromBytes, "int64"],
  ["nvidia_smi_temperature_gpu", "temperature", same],
  ["nvidia_smi_temperature_memory", "memory_temperature", same],
  ["nvidia_smi_power_draw_watts", "power_draw", same],
  ["nvidia_smi_energy_joules_total", "total_energy_mj", fromJoules, "fp64"],
  ["nvidia_smi_clocks_current_sm_clock_hz", "sm_clock_mhz", fromHertz, "int64"],
  ["nvidia_smi_clocks_current_memory_clock_hz", "memory_clock_mhz", fromHertz, "int64"],
  ["nvidia_smi_clocks_event_reasons_active", "clock_event_reasons", same],
  ["nvidia_smi_pcie_throughput_tx_bytes_per_second", "pcie_tx_bytes", same],
  ["nvidia_smi_pcie_throughput_rx_bytes_per_second", "pcie_rx_bytes", same],
  ["nvidia_smi_xid_errors_total", "xid_errors_total", same],
  ["nvidia_smi_remapped_rows_correctable", "correctable_remapped_rows", same],
  ["nvidia_smi_remapped_rows_uncorrectable", "uncorrectable_remapped_rows", same],
  ["nvidia_smi_remapped_rows_pending", "row_remap_pending", same],
  ["nvidia_smi_remapped_rows_failure", "row_remap_failure", same],
  ["nvidia_smi_retired_pages_single_bit_ecc_count", "retired_pages_sbe", same],
  ["nvidia_smi_retired_pages_double_bit_count", "retired_pages_dbe", same],
  ["nvidia_smi_ecc_errors_corrected_volatile_total", "ecc_sbe_volatile_total", same],
  ["nvidia_smi_ecc_errors_uncorrected_volatile_total", "ecc_dbe_volatile_total", same],
  ["nvidia_smi_ecc_errors_corrected_aggregate_total", "ecc_sbe_aggregate_total", same],
  ["nvidia_smi_ecc_errors_uncorrected_aggregate_total", "ecc_dbe_aggregate_total", same],
  ["nvidia_smi_mig_memory_used_bytes", "memory_used_mb", fromBytes, "int64"],
  ["nvidia_smi_mig_memory_free_bytes", "memory_free_mb", fromBytes, "int64"],
  ["nvidia_smi_mig_memory_reserved_bytes", "memory_reserved_mb", fromBytes, "int64"],
  ["nvidia_smi_mig_memory_total_bytes", "memory_capacity_mb", fromBytes, "int64"],
  ["nvidia_smi_mig_graphics_activity_ratio", "gr_engine_active", same],
  ["nvidia_smi_mig_sm_activity_ratio", "sm_active", same],
  ["nvidia_smi_mig_sm_occupancy_ratio", "sm_occupancy", same],
  ["nvidia_smi_mig_tensor_activity_ratio", "tensor_active", same],
];

/** The fields of `nvidia-smi --query-gpu`, with the unit that its CSV writes after the name unless `nounits` is chosen.
 *  Source: nvidia-smi --help-query-gpu */
// prettier-ignore
const nvidiaSmiFields: readonly (readonly [field: string, unit: string, metric: string])[] = [
  ["utilization.gpu", "%", "gpu_utilization"],
  ["utilization.memory", "%", "memory_utilization"],
  ["utilization.encoder", "%", "enc_utilization"],
  ["utilization.decoder", "%", "dec_utilization"],
  ["memory.used", "MiB", "memory_used_mb"],
  ["memory.free", "MiB", "memory_free_mb"],
  ["memory.reserved", "MiB", "memory_reserved_mb"],
  ["memory.total", "MiB", "memory_capacity_mb"],
  ["temperature.gpu", "", "temperature"],
  ["temperature.memory", "", "memory_temperature"],
  ["power.draw", "W", "power_draw"],
  ["clocks.current.sm", "MHz", "sm_clock_mhz"],
  ["clocks.sm", "MHz", "sm_clock_mhz"],
  ["clocks.current.memory", "MHz", "memory_clock_mhz"],
  ["clocks.mem", "MHz", "memory_clock_mhz"],
  ["clocks_event_reasons.active", "", "clock_event_reasons"],
  ["clocks_throttle_reasons.active", "", "clock_event_reasons"],
  ["remapped_rows.correctable", "", "correctable_remapped_rows"],
  ["remapped_rows.uncorrectable", "", "uncorrectable_remapped_rows"],
  ["remapped_rows.pending", "", "row_remap_pending"],
  ["remapped_rows.failure", "", "row_remap_failure"],
  ["retired_pages.single_bit_ecc.count", "", "retired_pages_sbe"],
  ["retired_pages.double_bit.count", "", "retired_pages_dbe"],
  ["retired_pages.pending", "", "retired_pages_pending"],
  ["ecc.errors.corrected.volatile.total", "", "ecc_sbe_volatile_total"],
  ["ecc.errors.uncorrected.volatile.total", "", "ecc_dbe_volatile_total"],
  ["ecc.errors.corrected.aggregate.total", "", "ecc_sbe_aggregate_total"],
  ["ecc.errors.uncorrected.aggregate.total", "", "ecc_dbe_aggregate_total"],
];

export const nvidiaSmiSpellings: readonly SpellingRow[] = nvidiaSmiFields.flatMap(([field, unit, metric]) => [
  [field, metric, same] as const,
  ...(unit === "" ? [] : [[`${field} [${unit}]`, metric, same] as const]),
]);

/** The metrics of AMD's exporter, which prints them in lower case, with an optional prefix. Their numbers that mean 'no value' are the
 *  greatest of the field's own type: 65535 of 16 bits, but never 255, which is a usual power draw. A MB of VRAM is a MiB. The clocks
 *  are told apart by their label.
 *  Source: ROCm/device-metrics-exporter, docs/configuration/metricslist.md and issue 662; amdsmi.h for the types */
// prettier-ignore
const amdFields: readonly SpellingRow[] = [
  ["GPU_GFX_ACTIVITY", "gpu_utilization", same, "uint16"],
  ["GPU_UMC_ACTIVITY", "memory_utilization", same, "uint16"],
  ["GPU_USED_VRAM", "memory_used_mb", same, "uint32"],
  ["GPU_FREE_VRAM", "memory_free_mb", same, "uint32"],
  ["GPU_TOTAL_VRAM", "memory_capacity_mb", same, "uint32"],
  ["GPU_JUNCTION_TEMPERATURE", "temperature", same, "uint16"],
  ["GPU_EDGE_TEMPERATURE", "temperature", same, "uint16"],
  ["GPU_MEMORY_TEMPERATURE", "memory_temperature", same, "uint16"],
  ["GPU_POWER_USAGE", "power_draw", same, "uint16"],
  ["GPU_PACKAGE_POWER", "power_draw", same, "uint16"],
  ["GPU_AVERAGE_PACKAGE_POWER", "power_draw", same, "uint16"],
  ["GPU_ENERGY_CONSUMED", "total_energy_mj", fromMicrojoules, "uint64"],
  ["PCIE_REPLAY_COUNT", "pcie_replay_total", same, "uint64"],
  ["GPU_ECC_CORRECT_TOTAL", "ecc_sbe_aggregate_total", same, "uint64"],
  ["GPU_ECC_UNCORRECT_TOTAL", "ecc_dbe_aggregate_total", same, "uint64"],
];
// the exporter has written the type without its prefix since 1.4.2
const amdClocks: readonly SpellingRow[] = [
  [`{clock_type="system"}`, "sm_clock_mhz", same, "uint16"],
  [`{clock_type="memory"}`, "memory_clock_mhz", same, "uint16"],
  [`{clock_type="GPU_CLOCK_TYPE_SYSTEM"}`, "sm_clock_mhz", same, "uint16"],
  [`{clock_type="GPU_CLOCK_TYPE_MEMORY"}`, "memory_clock_mhz", same, "uint16"],
];

const amdForms = (name: string): readonly string[] => {
  const lower = name.toLowerCase();
  return [name, lower, `amd_${lower}`, `AMD_${name}`];
};

export const amdSpellings: readonly SpellingRow[] = [
  ...amdFields.flatMap(([name, ...rest]) => amdForms(name).map((form) => [form, ...rest] as const)),
  ...amdClocks.flatMap(([labels, ...rest]) =>
    amdForms("GPU_CLOCK").map((form) => [`${form}${labels}`, ...rest] as const),
  ),
];
