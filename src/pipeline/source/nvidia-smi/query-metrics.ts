import { metricIndexOf } from "../../../domain/metrics.ts";

/** Our names of what `nvidia-smi --query-gpu` measures. */
const names: Readonly<Record<string, string>> = {
  "utilization.gpu": "gpu_utilization",
  "utilization.memory": "memory_utilization",
  "utilization.encoder": "enc_utilization",
  "utilization.decoder": "dec_utilization",
  "memory.reserved": "memory_reserved_mb",
  "memory.used": "memory_used_mb",
  "memory.free": "memory_free_mb",
  "temperature.gpu": "temperature",
  "temperature.memory": "memory_temperature",
  "power.draw": "power_draw",
  "clocks.current.sm": "sm_clock_mhz",
  "clocks.current.memory": "memory_clock_mhz",
  "pcie.replay_counter": "pcie_replay_total",
  "retired_pages.single_bit_ecc.count": "retired_pages_sbe",
  "retired_pages.double_bit.count": "retired_pages_dbe",
  "retired_pages.pending": "retired_pages_pending",
  "remapped_rows.correctable": "correctable_remapped_rows",
  "remapped_rows.uncorrectable": "uncorrectable_remapped_rows",
  "remapped_rows.failure": "row_remap_failure",
  "ecc.errors.corrected.volatile.total": "ecc_sbe_volatile_total",
  "ecc.errors.uncorrected.volatile.total": "ecc_dbe_volatile_total",
  "ecc.errors.corrected.aggregate.total": "ecc_sbe_aggregate_total",
  "ecc.errors.uncorrected.aggregate.total": "ecc_dbe_aggregate_total",
};

/** The metric that a query name measures: its index in the catalogue; the name itself if the catalogue does not have it. */
export function metricOfQuery(name: string): number | string {
  return metricIndexOf(Object.hasOwn(names, name) ? (names[name] ?? name) : name) ?? name;
}
