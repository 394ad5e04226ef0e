import { type DescribedGpu, driver, type Instance, type Measured, model, type Pod } from "./host.ts";
import { type Measure, measures, ratioIn46, ratioName, type Spelled } from "./measures.ts";

/** How an exporter writes what it knows. */
export interface Style {
  /** `4.6`: the newer names that DCGM 4.6 has; `mixed`: each measure under its older or newer name, or both. */
  readonly names: "older" | "4.6" | "newer" | "mixed" | "smi";
  /** What `Hostname` is. */
  readonly hostname: "own" | "localhost" | "pod" | "absent";
  /** `exported`: as through a Prometheus that does not honour labels. */
  readonly pods: "own" | "exported";
  /** For each measure, which names a mixed exporter has. */
  readonly mix: readonly ("older" | "newer" | "both")[];
  /** Which of the blanks of a width. */
  readonly blank: number;
}

interface Row {
  readonly instance: Instance | undefined;
  readonly pod: Pod | undefined;
  readonly job: string | undefined;
}

const exporter: Pod = { namespace: "monitoring", pod: "nvidia-dcgm-exporter-s228n", container: "exporter" };
export const ownHostname = "gpu-node-1";
const hostnames = { own: ownHostname, localhost: "localhost", pod: exporter.pod } as const;

/** The lines of an exposition, without comments. */
export function linesOf(gpus: readonly DescribedGpu[], style: Style): readonly string[] {
  return style.names === "smi" ? smiLines(gpus) : gpus.flatMap((gpu) => dcgmLines(gpu, style));
}

function dcgmLines(gpu: DescribedGpu, style: Style): readonly string[] {
  return rowsOf(gpu).flatMap((row) =>
    measures.flatMap((measure, index) => {
      const value = measure.isOfInstance && row.instance !== undefined ? row.instance.values : gpu.values;
      return namesOf(measure, index, style).flatMap(({ name, text, blanks }) => {
        const labels = labelsOf({ gpu, row, measure, value: value[measure.ours] }, style);
        return sampleOf(`${name}{${labels}}`, value[measure.ours], { text, blank: blanks[style.blank] });
      });
    }),
  );
}

/** The exporter repeats a GPU for each instance, pod and job. */
function rowsOf({ instances, pods, jobs }: DescribedGpu): readonly Row[] {
  const row = { instance: undefined, pod: undefined, job: undefined };
  if (instances.length > 0) return instances.map((instance) => ({ ...row, instance, pod: instance.pod }));
  if (pods.length > 0) return pods.map((pod) => ({ ...row, pod }));
  return jobs.length > 0 ? jobs.map((job) => ({ ...row, job })) : [row];
}

function namesOf({ older, newer, isOf47 }: Measure, index: number, { names, mix }: Style): readonly Spelled[] {
  if (names === "4.6") return [newer.name === ratioName ? ratioIn46 : isOf47 ? older : newer];
  if (names !== "mixed") return [names === "older" ? older : newer];
  const choice = mix[index % mix.length];
  return choice === "both" ? [newer, older] : [choice === "older" ? older : newer];
}

interface Labelled {
  readonly gpu: DescribedGpu;
  readonly row: Row;
  readonly measure: Measure;
  readonly value: Measured;
}

function labelsOf({ gpu, row, measure, value }: Labelled, { names, hostname, pods }: Style): string {
  const { instance, pod, job } = row;
  const isNewer = names === "newer";
  const labels: readonly (readonly [string, string | undefined])[] = [
    ["gpu", String(gpu.index)],
    ["UUID", gpu.uuid],
    ["device", `nvidia${gpu.index}`],
    ["modelName", model],
    ["GPU_I_PROFILE", instance?.profile],
    ["GPU_I_ID", instance === undefined ? undefined : String(instance.id)],
    [isNewer ? "hostname" : "Hostname", hostname === "absent" ? undefined : hostnames[hostname]],
    [isNewer ? "DCGM_FI_SYSTEM_DRIVER_VERSION" : "DCGM_FI_DRIVER_VERSION", driver],
    ["err_code", measure.ours === "xid_error" ? String(value) : undefined],
    ["hpc_job", job],
    ...podLabels(pod, pods),
  ];
  return labels.flatMap(([name, text]) => (text === undefined ? [] : [`${name}="${text}"`])).join(",");
}

function podLabels(pod: Pod | undefined, pods: Style["pods"]): readonly (readonly [string, string | undefined])[] {
  if (pods === "own") return Object.entries(pod ?? { namespace: "", pod: "", container: "" });
  const exported = Object.entries(pod ?? {}).map(([name, text]) => [`exported_${name}`, text as string] as const);
  return [...Object.entries(exporter), ...exported];
}

function sampleOf(
  series: string,
  value: Measured,
  { text, blank }: { readonly text: (value: number) => string; readonly blank: string | undefined },
): readonly string[] {
  if (value === "blank") return blank === undefined ? [] : [`${series} ${blank}`];
  return value === undefined ? [] : [`${series} ${text(value)}`];
}

function smiLines(gpus: readonly DescribedGpu[]): readonly string[] {
  return gpus.flatMap((gpu) => {
    const uuid = gpu.uuid.slice("GPU-".length);
    const info = `uuid="${uuid}",index="${gpu.index}",name="${model}",driver_version="${driver}"`;
    const values = measures.flatMap(({ ours, smi, isOfInstance }) =>
      smi === undefined || (isOfInstance && gpu.instances.length > 0)
        ? []
        : sampleOf(`${smi.name}{uuid="${uuid}"}`, gpu.values[ours], { text: smi.text, blank: undefined }),
    );
    return [`nvidia_smi_gpu_info{${info}} 1`, ...values];
  });
}
