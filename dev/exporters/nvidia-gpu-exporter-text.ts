import { metrics } from "../../src/domain/metrics.ts";
import { spellingOf, spellings } from "../../src/domain/dialects/spelling-of.ts";
import { exporterMetrics } from "./derived-metrics.ts";
import { type Family, familyOf, goNumber, headOf } from "./family.ts";
import { busIdOf, type ReadGpu } from "./read-gpu.ts";

const migPrefix = "nvidia_smi_mig_";
const ofBoards = familiesOf((name) => !name.startsWith(migPrefix));
const ofInstances = familiesOf((name) => name.startsWith(migPrefix));

const gpuInfoHead = headOf("nvidia_smi_gpu_info", "What a GPU is; always 1.", "gauge");
const migInfoHead = headOf("nvidia_smi_mig_info", "What a MIG instance is; always 1.", "gauge");

/** The output of nvidia_gpu_exporter: the series have only the uuid, without its prefix; one series describes the GPU. It knows
 *  no pods, and nvidia-smi has no utilization of a GPU that is divided. */
export function nvidiaGpuExporterText(gpus: readonly ReadGpu[]): string {
  let text = gpuInfoHead;
  for (const { gpu } of gpus) {
    const described = `driver_version="${gpu.driverVersion}",name="${gpu.modelName}",uuid="${bareUuid(gpu.uuid)}"`;
    text += `nvidia_smi_gpu_info{${described},pci_bus_id="${busIdOf(gpu)}",index="${gpu.gpuId}"} 1\n`;
  }
  for (const family of ofBoards) text += withHead(family, boardLines(family, gpus));
  const instances = gpus.flatMap((gpu) => gpu.instances.map(({ labels }) => ({ gpu: gpu.gpu, labels })));
  if (instances.length === 0) return text;
  text += migInfoHead;
  for (const { gpu, labels } of instances) {
    const { GPU_I_ID: id = "", GPU_I_PROFILE: profile = "" } = labels;
    const uuid = bareUuid(gpu.uuid);
    const described = `uuid="${uuid}",mig_uuid="MIG-${uuid}-${id}",gpu_instance_id="${id}"`;
    text += `nvidia_smi_mig_info{${described},compute_instance_id="0",profile="${profile}"} 1\n`;
  }
  for (const family of ofInstances) text += withHead(family, instanceLines(family, gpus));
  return text;
}

function boardLines({ name, metric, print }: Family, gpus: readonly ReadGpu[]): string {
  const isUtilization = name.startsWith("nvidia_smi_utilization_");
  return gpus
    .map((gpu) => {
      const value = gpu.whole(metric);
      if (value === undefined || (isUtilization && gpu.instances.length > 0)) return "";
      return `${name}{uuid="${bareUuid(gpu.gpu.uuid)}"} ${print(value)}\n`;
    })
    .join("");
}

function instanceLines({ name, metric, print }: Family, gpus: readonly ReadGpu[]): string {
  return gpus
    .flatMap((gpu) =>
      gpu.rows(metric).map(({ labels: { GPU_I_ID: id }, value }) => {
        if (id === undefined) return "";
        return `${name}{uuid="${bareUuid(gpu.gpu.uuid)}",gpu_instance_id="${id}"} ${print(value)}\n`;
      }),
    )
    .join("");
}

function withHead({ head }: Family, lines: string): string {
  return lines === "" ? "" : head + lines;
}

function familiesOf(accepts: (name: string) => boolean): readonly Family[] {
  return exporterMetrics.flatMap((metric) => {
    const index = spellingOf(metric)?.metricIndex;
    const spelling = spellings.find(
      ({ dialect, metricIndex, name }) => dialect === "nvidia_gpu_exporter" && metricIndex === index && accepts(name),
    );
    if (spelling === undefined) return [];
    const isCounter = metrics[spelling.metricIndex]?.kind === "counter" && spelling.name.endsWith("_total");
    return [familyOf(metric, spelling, { type: isCounter ? "counter" : "gauge", format: goNumber })];
  });
}

function bareUuid(uuid: string): string {
  return uuid.replace(/^GPU-/, "");
}
