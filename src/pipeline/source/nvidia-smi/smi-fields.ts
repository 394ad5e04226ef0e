import type { SmiUnit } from "./measured-text.ts";

/** A number that nvidia-smi prints for a GPU or a MIG instance. */
export interface SmiField {
  /** The name that `nvidia-smi --query-gpu` has for it, or ours if it has none: a spelling of the catalogue, or the name of a custom
   *  metric. */
  readonly name: string;
  readonly unit: SmiUnit;
  /** Where the XML of one version or another has it, or the parts of it, each with the factor of its number. */
  readonly parts: readonly { readonly path: string; readonly factor: number }[];
  /** If true, the sum of all parts counts; otherwise, the first part with a number. */
  readonly isSum: boolean;
}

type FieldRow = readonly [name: string, unit: SmiUnit, ...paths: readonly string[]];

/** The fields that a GPU has, and of which a MIG instance has some.
 *  Source: the field list of `nvidia-smi --help-query-gpu`, and documents of the versions 10 to 12 of nvsmi_device.dtd */
// prettier-ignore
const rows: readonly FieldRow[] = [
  ["utilization.gpu", "%", "utilization/gpu_util"],
  ["utilization.memory", "%", "utilization/memory_util"],
  ["utilization.encoder", "%", "utilization/encoder_util"],
  ["utilization.decoder", "%", "utilization/decoder_util"],
  ["utilization.jpeg", "%", "utilization/jpeg_util"],
  ["utilization.ofa", "%", "utilization/ofa_util"],
  ["memory.total", "MiB", "fb_memory_usage/total"],
  ["memory.reserved", "MiB", "fb_memory_usage/reserved"],
  ["memory.used", "MiB", "fb_memory_usage/used"],
  ["memory.free", "MiB", "fb_memory_usage/free"],
  ["temperature.gpu", "C", "temperature/gpu_temp"],
  ["temperature.gpu.tlimit", "C", "temperature/gpu_temp_tlimit"],
  ["temperature.memory", "C", "temperature/memory_temp"],
  ["power.draw", "W",
    "gpu_power_readings/power_draw", "gpu_power_readings/average_power_draw", "gpu_power_readings/instant_power_draw",
    "power_readings/power_draw"],
  ["power.limit", "W", "gpu_power_readings/current_power_limit", "power_readings/power_limit"],
  ["clocks.current.graphics", "MHz", "clocks/graphics_clock"],
  ["clocks.current.sm", "MHz", "clocks/sm_clock"],
  ["clocks.current.memory", "MHz", "clocks/mem_clock"],
  ["clocks.current.video", "MHz", "clocks/video_clock"],
  ["fan.speed", "%", "fan_speed"],
  ["pcie.link.gen.current", "count", "pci/pci_gpu_link_info/pcie_gen/current_link_gen"],
  ["pcie.link.width.current", "lanes", "pci/pci_gpu_link_info/link_widths/current_link_width"],
  ["pcie_replay_total", "count", "pci/replay_counter"],
  ["retired_pages.single_bit_ecc.count", "count", "retired_pages/multiple_single_bit_retirement/retired_count"],
  ["retired_pages.double_bit.count", "count", "retired_pages/double_bit_retirement/retired_count"],
  ["retired_pages.pending", "flag", "retired_pages/pending_retirement"],
  ["remapped_rows.correctable", "count", "remapped_rows/remapped_row_corr"],
  ["remapped_rows.uncorrectable", "count", "remapped_rows/remapped_row_unc"],
  ["remapped_rows.pending", "flag", "remapped_rows/remapped_row_pending"],
  ["remapped_rows.failure", "flag", "remapped_rows/remapped_row_failure"],
];

/** The reasons for reduced clocks, by the bit that each has in the number that the driver gives.
 *  Source: nvml.h, nvmlClocksEventReasons */
const clockReasons: readonly (readonly [bit: number, reason: string])[] = [
  ...([
    [0x1, "gpu_idle"],
    [0x2, "applications_clocks_setting"],
    [0x4, "sw_power_cap"],
    [0x8, "hw_slowdown"],
  ] as const),
  ...([
    [0x10, "sync_boost"],
    [0x20, "sw_thermal_slowdown"],
    [0x40, "hw_thermal_slowdown"],
  ] as const),
  ...([
    [0x80, "hw_power_brake_slowdown"],
    [0x100, "display_clocks_setting"],
  ] as const),
];

/** The parts of which the total of ECC errors is the sum. Older drivers print the total itself. */
const eccParts = {
  corrected: ["single_bit/total", "sram_correctable", "dram_correctable"],
  uncorrected: [
    ...["double_bit/total", "sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded"],
    "dram_uncorrectable",
  ],
} as const;

/** Every field that is read. */
export const smiFields: readonly SmiField[] = [
  ...rows.map(([name, unit, ...paths]): SmiField => ({ name, unit, parts: whole(paths), isSum: false })),
  {
    name: "clocks_event_reasons.active",
    unit: "flag",
    parts: clockReasons.flatMap(([factor, reason]) =>
      ["event", "throttle"].map((word) => ({
        path: `clocks_${word}_reasons/clocks_${word}_reason_${reason}`,
        factor,
      })),
    ),
    isSum: true,
  },
  ...(["corrected", "uncorrected"] as const).flatMap((kind) =>
    ["volatile", "aggregate"].map((since): SmiField => {
      const paths = eccParts[kind].map((part) => `ecc_errors/${since}/${part}`);
      return { name: `ecc.errors.${kind}.${since}.total`, unit: "count", parts: whole(paths), isSum: true };
    }),
  ),
];

/** The texts that are properties of a GPU under the name that DCGM's label has, and where the XML has them. */
export const smiProperties: readonly (readonly [name: string, path: string])[] = [
  ["brand", "product_brand"],
  ["serial", "serial"],
  ["vbios_version", "vbios_version"],
  ["pci_bus_id", "pci/pci_bus_id"],
  ["inforom_image_version", "inforom_version/img_version"],
  ["oem_inforom_version", "inforom_version/oem_object"],
  ["ecc_inforom_version", "inforom_version/ecc_object"],
  ["power_inforom_version", "inforom_version/pwr_object"],
];

function whole(paths: readonly string[]): SmiField["parts"] {
  return paths.map((path) => ({ path, factor: 1 }));
}
