import type { Workload } from "../../src/domain/gpu.ts";
import { metrics } from "../../src/domain/metrics.ts";
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

/** What the exporter lists as a GPU: a whole GPU, or a part of a divided one. */
interface ListedPart {
  readonly labels: string;
  readonly value: (metric: string) => number | undefined;
}

/** The output of AMD's device-metrics-exporter, for a fleet whose GPUs keep their models. The MIG instances of a GPU are the parts of
 *  a divided one: each is listed as a GPU, with the next free index; the first has the values of the whole board. A GPU that no workload
 *  holds has empty labels in place of a pod's. */
export function amdText(gpus: readonly ReadGpu[]): string {
  let nextIndex = Math.max(...gpus.map(({ gpu }) => gpu.gpuId)) + 1;
  const listed = gpus.flatMap((gpu) => {
    if (gpu.instances.length === 0) return [wholeGpu(gpu)];
    return gpu.instances.map((_, part) => partOf(gpu, part, part === 0 ? gpu.gpu.gpuId : nextIndex++));
  });
  const heads = new Set<string>();
  let text = "";
  for (const { head, name, labels, metric, print } of families) {
    if (!heads.has(name)) text += head;
    heads.add(name);
    for (const { labels: ofGpu, value: valueOf } of listed) {
      const value = valueOf(metric);
      if (value !== undefined) text += `${name}{${ofGpu}${labels === "" ? "" : `,${labels}`}} ${print(value)}\n`;
    }
  }
  return text;
}

function wholeGpu(gpu: ReadGpu): ListedPart {
  const place = `gpu_compute_partition_type="spx",gpu_id="${gpu.gpu.gpuId}",gpu_partition_id="0"`;
  const labels = [place, `gpu_uuid="${gpu.gpu.uuid}"`, labelsOf(gpu, gpu.wholeWorkload)].join(",");
  return { labels, value: (metric) => gpu.whole(metric) };
}

/** @param part its number, from 0 */
function partOf(gpu: ReadGpu, part: number, gpuId: number): ListedPart {
  const instance = gpu.instances[part];
  const id = instance?.labels["GPU_I_ID"];
  const place = `gpu_compute_partition_type="cpx",gpu_id="${gpuId}",gpu_partition_id="${part}"`;
  const workload = instance?.workload ?? gpu.wholeWorkload;
  return {
    labels: `${place},${labelsOf(gpu, workload)}`,
    value: (metric) => {
      if (metrics[spellingOf(metric)?.metricIndex ?? -1]?.scope === "board") {
        return part === 0 ? gpu.whole(metric) : undefined;
      }
      return gpu.rows(metric).find(({ labels }) => labels["GPU_I_ID"] === id)?.value;
    },
  };
}

function labelsOf({ gpu }: ReadGpu, { container, namespace, pod }: Workload): string {
  const { modelName, driverVersion, uuid, hostname } = gpu;
  return [
    `card_model="102-G30211-0C",card_series="${modelName}",card_vendor="AMD",cluster_name="",container="${container}"`,
    `driver_version="${driverVersion}",hostname="${hostname}",namespace="${namespace}",pod="${pod}"`,
    `serial_number="${uuid.slice(-12)}"`,
  ].join(",");
}
