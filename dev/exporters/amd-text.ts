import { spellingOf, spellings } from "../../src/domain/dialects/spelling-of.ts";
import { exporterMetrics } from "./derived-metrics.ts";
import { familyOf, goNumber } from "./family.ts";
import type { ReadGpu } from "./read-gpu.ts";

/** Exporters print the names in lower case; a label in the spelling is in upper case. */
const lowerCase = /^[a-z_]+(?:\{|$)/;

const families = exporterMetrics.flatMap((metric) => {
  const index = spellingOf(metric)?.metricIndex;
  const spelling = spellings.find(
    ({ dialect, metricIndex, name }) =>
      dialect === "amd" && metricIndex === index && lowerCase.test(name) && !name.startsWith("amd_"),
  );
  return spelling === undefined ? [] : [familyOf(metric, spelling, { type: "gauge", format: goNumber })];
});

/** The output of AMD's device-metrics-exporter, for a fleet whose GPUs keep their models. It has each GPU as a whole; a GPU that no
 *  workload holds has empty labels in place of a pod's. */
export function amdText(gpus: readonly ReadGpu[]): string {
  const labelled = gpus.map((gpu) => ({ gpu, text: labelsOf(gpu) }));
  const heads = new Set<string>();
  let text = "";
  for (const { head, name, labels, metric, print } of families) {
    if (!heads.has(name)) text += head;
    heads.add(name);
    for (const { gpu, text: ofGpu } of labelled) {
      const value = gpu.whole(metric);
      if (value !== undefined) text += `${name}{${ofGpu}${labels === "" ? "" : `,${labels}`}} ${print(value)}\n`;
    }
  }
  return text;
}

function labelsOf({ gpu, wholeWorkload: { container, namespace, pod } }: ReadGpu): string {
  const { modelName, driverVersion, gpuId, uuid, hostname } = gpu;
  return [
    `card_model="${modelName}",card_vendor="AMD",cluster_name="",container="${container}"`,
    `driver_version="${driverVersion}",gpu_compute_partition_type="spx",gpu_id="${gpuId}",gpu_partition_id="0"`,
    `gpu_uuid="${uuid}",hostname="${hostname}",namespace="${namespace}",pod="${pod}"`,
    `serial_number="${uuid.slice(-12)}"`,
  ].join(",");
}
