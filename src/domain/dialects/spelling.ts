import type { Metric } from "../metrics.ts";
import type { Scale } from "./scale.ts";

/** The names that an exporter or tool gives to metrics, with their units:
 *
 *  - `dcgm-1`: dcgm-exporter 1.x, lower-case names;
 *  - `dcgm`: dcgm-exporter up to 4.8, DCGM's older names;
 *  - `dcgm-4.9`: dcgm-exporter 4.9, DCGM 4.7's names;
 *  - `nvidia_gpu_exporter`: utkuozdemir/nvidia_gpu_exporter;
 *  - `amd`: ROCm/device-metrics-exporter;
 *  - `nvidia-smi`: the fields of `nvidia-smi --query-gpu`. */
export const dialects = ["dcgm-1", "dcgm", "dcgm-4.9", "nvidia_gpu_exporter", "amd", "nvidia-smi"] as const;
export type Dialect = (typeof dialects)[number];

/** The width of the number behind a spelling, which decides the numbers that mean 'no value' (see value.ts). */
export type Width = Metric["width"] | "uint16" | "uint32" | "uint64";

/** A row of a table of spellings. `width`: that of our metric if it is absent. */
export type SpellingRow = readonly [spelling: string, metric: string, scale: Scale, width?: Width];

/** A name of a metric, as an exporter or tool writes it. */
export interface Spelling {
  readonly name: string;
  /** Index of our metric in `metrics`. */
  readonly metricIndex: number;
  readonly dialect: Dialect | undefined;
  readonly scale: Scale;
  readonly width: Width;
  /** If an input has a metric under several spellings, the one with the lowest rank counts. */
  readonly rank: number;
  /** True if the name alone does not tell the unit (see ratio-scale.ts): `scale` is then that of DCGM 4.7. */
  readonly isAmbiguous: boolean;
}
