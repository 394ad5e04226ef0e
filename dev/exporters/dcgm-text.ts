import type { Workload } from "../../src/domain/gpu.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { ambiguousRatio, dcgm47Only } from "../../src/domain/dialects/dcgm-spellings.ts";
import { decidedRatio } from "../../src/domain/dialects/ratio-scale.ts";
import type { Spelling } from "../../src/domain/dialects/spelling.ts";
import { spellingOf, spellings } from "../../src/domain/dialects/spelling-of.ts";
import { seriesMetrics } from "../../src/pipeline/source/simulated/devices/labelled-series.ts";
import { exporterMetrics } from "./derived-metrics.ts";
import { dcgmNumber, type Family, familyOf, headOf } from "./family.ts";
import { busIdOf, type ReadGpu, type ReadRow } from "./read-gpu.ts";

/** The labels whose names differ between the releases of dcgm-exporter. */
interface DcgmLabels {
  readonly hostname: string;
  readonly driverVersion: string;
}

/** What dcgm-exporter declares as counters although it can fall: rates, and counts within a window. */
const declaredCounters: ReadonlySet<string> = new Set([
  ...["DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "DCGM_EXP_XID_ERRORS_COUNT", "DCGM_EXP_CLOCK_EVENTS_COUNT"],
]);

/** The names of metrics: DCGM's older ones, those of DCGM 4.7, or what DCGM 4.6 has of these. */
type DcgmNames = "older" | "4.6" | "4.7";

const olderLabels: DcgmLabels = { hostname: "Hostname", driverVersion: "DCGM_FI_DRIVER_VERSION" };

/** The output of dcgm-exporter up to 4.8. */
export const dcgmText = writer("older", olderLabels);

/** The output of dcgm-exporter with DCGM 4.6, configured with its new names: DCGM_FI_DEV_GPU_UTIL_RATIO is a percentage. */
export const dcgm46Text = writer("4.6", olderLabels);

/** The output of dcgm-exporter 4.9. */
export const dcgm49Text = writer("4.7", { hostname: "hostname", driverVersion: "DCGM_FI_SYSTEM_DRIVER_VERSION" });

function writer(names: DcgmNames, labelNames: DcgmLabels): (gpus: readonly ReadGpu[]) => string {
  const families = [...exporterMetrics, ...seriesMetrics].map((metric) => dcgmFamily(metric, names));
  return (gpus) => {
    const labelled = gpus.map((gpu) => ({ gpu, labels: new GpuLabels(gpu, labelNames) }));
    let text = "";
    for (const { head, name, metric, print } of families) {
      let lines = "";
      for (const { gpu, labels } of labelled) {
        for (const row of gpu.rows(metric)) lines += `${name}{${labels.of(row)}} ${print(row.value)}\n`;
      }
      if (lines !== "") text += head + lines;
    }
    return text;
  };
}

function dcgmFamily(metric: string, names: DcgmNames): Family {
  const old = spellingOf(metric);
  if (old === undefined) {
    const head = headOf(metric, "A value of each link.", "gauge");
    return { head, name: metric, labels: "", metric, print: String };
  }
  const isCounter = metrics[old.metricIndex]?.kind === "counter" || declaredCounters.has(metric);
  const spelling = (names === "older" ? undefined : renamed(old, names)) ?? old;
  const family = familyOf(metric, spelling, { type: isCounter ? "counter" : "gauge", format: dcgmNumber });
  // a HELP that names the unit would decide what the values have to tell
  return names === "4.6" ? { ...family, head: family.head.replace(/^# HELP .*\n/, "") } : family;
}

/** @returns undefined for a metric that keeps its name */
function renamed({ metricIndex }: Spelling, names: "4.6" | "4.7"): Spelling | undefined {
  const spelling = spellings.find((each) => each.dialect === "dcgm-4.9" && each.metricIndex === metricIndex);
  if (names === "4.7" || spelling === undefined) return spelling;
  if (spelling.name === ambiguousRatio) return decidedRatio.percent;
  return dcgm47Only.has(spelling.name) ? undefined : spelling;
}

/** The labels of a GPU's rows. Rows that follow each other often have the same. */
class GpuLabels {
  private readonly before: string;
  private readonly after: string;
  private last: { readonly labels: ReadRow["labels"]; readonly workload: Workload; readonly text: string } | undefined;

  constructor(gpu: ReadGpu, names: DcgmLabels) {
    const { gpuId, uuid, device, modelName, hostname, driverVersion } = gpu.gpu;
    const busId = busIdOf(gpu.gpu);
    this.before = `gpu="${gpuId}",UUID="${uuid}",pci_bus_id="${busId}",device="${device}",modelName="${modelName}"`;
    this.after = `,${names.hostname}="${hostname}",${names.driverVersion}="${driverVersion}"`;
  }

  of({ labels, workload }: ReadRow): string {
    const { last } = this;
    if (last?.labels === labels && last.workload === workload) return last.text;
    const { GPU_I_ID: id, GPU_I_PROFILE: profile = "", ...others } = labels;
    const instance = id === undefined ? "" : `,GPU_I_PROFILE="${profile}",GPU_I_ID="${id}"`;
    const { container, namespace, pod } = workload;
    const more = { ...others, ...(pod === "" ? {} : { container, namespace, pod }) };
    const text = `${this.before}${instance}${this.after}${labelText(more)}`;
    this.last = { labels, workload, text };
    return text;
  }
}

/** No text of the fleet has characters that need an escape. */
function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `,${name}="${value}"`)
    .join("");
}
