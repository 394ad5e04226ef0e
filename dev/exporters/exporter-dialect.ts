import { amdText } from "./amd-text.ts";
import { dcgm46Text, dcgm49Text, dcgmText } from "./dcgm-text.ts";
import { nvidiaGpuExporterText } from "./nvidia-gpu-exporter-text.ts";
import type { ReadGpu } from "./read-gpu.ts";

/** The exporters that the fleet can be served as: dcgm-exporter up to 4.8, with the new names of DCGM 4.6, and 4.9;
 *  nvidia_gpu_exporter; AMD's device-metrics-exporter. */
export const exporterDialects = ["4.8", "4.6", "4.9", "nvidia_gpu_exporter", "amd"] as const;
export type ExporterDialect = (typeof exporterDialects)[number];

/** Writes the GPUs of a host as the exporter would. */
export const textOf: Readonly<Record<ExporterDialect, (gpus: readonly ReadGpu[]) => string>> = {
  "4.8": dcgmText,
  "4.6": dcgm46Text,
  "4.9": dcgm49Text,
  nvidia_gpu_exporter: nvidiaGpuExporterText,
  amd: amdText,
};
