import { type FieldError, invalidText } from "../../../domain/field-rules.ts";
import { noWorkload, type Workload } from "../../../domain/gpu.ts";
import { exportedPrefix, type ParsedLabels, workloadFields } from "./labels.ts";

/** The names of programs that export metrics, in the names of their pods and containers: nvidia-dcgm-exporter-7x2kq,
 *  nvidia-gpu-exporter, nvidia_smi_exporter, amdgpu-metrics-exporter, node-exporter. */
const exporterName = /(?:dcgm|gpu|nvidia|smi|metrics|node)[-_]?exporter/i;

/** True for the name of an exporter's own pod or container. */
export function isExporterName(name: string): boolean {
  return exporterName.test(name);
}

/** True for the workload of an exporter itself, which holds no GPU. */
export function isExporter({ container, pod }: Workload): boolean {
  return isExporterName(pod) || isExporterName(container);
}

/** The workload that labels name: that of labels such as exported_pod, even if they are empty, or else of pod, container and
 *  namespace. The pod of an exporter counts as no workload.
 *  @returns the error of a label that is too long or has control characters */
export function workloadOfLabels({
  workload,
  isExported,
}: Pick<ParsedLabels, "workload" | "isExported">): Workload | FieldError {
  if (workload === undefined || isExporter(workload)) return noWorkload;
  for (const field of workloadFields) {
    const error = invalidText(isExported ? `${exportedPrefix}${field}` : field, workload[field]);
    if (error !== undefined) return error;
  }
  return workload;
}
