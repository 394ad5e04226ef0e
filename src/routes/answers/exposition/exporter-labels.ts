import { type Gpu, noWorkload, type Workload } from "../../../domain/gpu.ts";
import { migInstanceOf } from "../../../domain/mig-instance.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import { seriesLabels } from "../../../domain/series.ts";
import { propertyLabels } from "../promql/device-labels.ts";

/** The labels of a record's samples as text, without braces. */
export class SampleLabels {
  /** One text for each workload that shares the device, as dcgm-exporter has a series for each pod; one without workloads. */
  readonly texts: readonly string[];

  constructor(private readonly record: StoredRecord) {
    const { gpu, occupants } = record;
    const ofDevice = deviceLabels(gpu);
    const workloads = occupants.length === 0 ? [noWorkload] : occupants;
    this.texts = workloads.map((workload) => labelText({ ...ofDevice, ...workloadLabels(workload) }));
  }

  /** The labels of a series that has labels of its own. Where these may be labels of devices, too, they count more, and the series is
   *  one for all workloads: two labels of one name would make Prometheus refuse the whole scrape. */
  withOwn({ labels, text, tellsSeries }: OwnLabels): readonly string[] {
    if (tellsSeries) return this.texts.map((each) => `${each},${text}`);
    return [labelText({ ...deviceLabels(this.record.gpu), ...labels })];
  }
}

/** The labels by which a series differs from the others of its metric. */
export interface OwnLabels {
  readonly labels: Readonly<Record<string, string>>;
  readonly text: string;
  /** True if all of them only tell series apart: no device has such labels. */
  readonly tellsSeries: boolean;
}

/** The labels of a series, read once for all devices. */
export function ownLabelsOf(labels: Readonly<Record<string, string>>): OwnLabels {
  const tellsSeries = Object.keys(labels).every((name) => seriesLabels.includes(name));
  return { labels, text: labelText(labels), tellsSeries };
}

/** The labels of a device, as dcgm-exporter up to 4.8 writes them: a MIG instance has the UUID of its GPU. `cluster`, and what else the
 *  input says of the device, are labels, too: two clusters may have hosts of one name. */
function deviceLabels(gpu: Gpu): Record<string, string> {
  const instance = migInstanceOf(gpu.uuid);
  const labels: Record<string, string> = {
    ...{ gpu: String(gpu.gpuId), UUID: instance?.parentUuid ?? gpu.uuid },
    ...{ device: gpu.device, modelName: gpu.modelName },
    ...(instance === undefined ? {} : { GPU_I_PROFILE: instance.profile, GPU_I_ID: instance.instanceId }),
    ...{ Hostname: gpu.hostname, DCGM_FI_DRIVER_VERSION: gpu.driverVersion, cluster: gpu.clusterId },
  };
  for (const [name, text] of Object.entries(propertyLabels(gpu.properties))) {
    if (labels[name] === undefined && !otherMeanings.has(name)) labels[name] = text;
  }
  return labels;
}

/** Labels that do not describe a device by itself. */
const otherMeanings: ReadonlySet<string> = new Set([...seriesLabels, "container", "namespace", "pod"]);

function workloadLabels({ container, namespace, pod }: Workload) {
  return { container, namespace, pod };
}

/** Empty labels are left out: to Prometheus, they are the same as none.
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information */
function labelText(labels: Readonly<Record<string, string>>): string {
  let text = "";
  for (const name in labels) {
    const value = labels[name];
    if (value !== undefined && value !== "") text += `${text === "" ? "" : ","}${name}="${escaped(value)}"`;
  }
  return text;
}

function escaped(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))
    : value;
}
