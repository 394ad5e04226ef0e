import type { LabelCell } from "../labels/labels.ts";
import type { ScannedSeries } from "./scanned-exposition.ts";

const maxIdentities = 10_000;
/** Series whose value is always 1, and whose labels describe a device. */
const gpuInfo = "nvidia_smi_gpu_info";
const prefix = "nvidia_smi_";
const migInfo = "nvidia_smi_mig_info";
/** The labels of a GPU that describe it, in series that have its index. */
const described = new Set(["gpu", "device", "modelname", "pci_bus_id", "hostname"]);

/** What some series of an exporter say about a device, for series that have only its uuid: those of nvidia_gpu_exporter, and those of
 *  NVLinks in dcgm-exporter. It is remembered from exposition to exposition. */
export class JoinedIdentities {
  private readonly byKey = new Map<string, readonly LabelCell[]>();
  /** The labels of series that say the same under each of their names, and that were seen since the last change. */
  private seen = new WeakSet<ScannedSeries["labels"]>();

  /** Learns what the series of an exposition say. @returns whether something changed */
  learnAll(samples: readonly { readonly series: ScannedSeries }[]): boolean {
    let hasChanged = false;
    for (const { series } of samples) {
      const { name, labels } = series;
      const isInfo = name === gpuInfo || name === migInfo;
      if (!isInfo && (this.seen.has(labels) || name.startsWith(prefix))) continue;
      hasChanged = this.learn(series, isInfo) || hasChanged;
      if (!isInfo) this.seen.add(labels);
    }
    if (hasChanged) this.seen = new WeakSet();
    return hasChanged;
  }

  private learn({ name, labels }: ScannedSeries, isInfo: boolean): boolean {
    const uuid = labelOf(labels, "uuid");
    if (uuid === "" || (!isInfo && labelOf(labels, "gpu") === "")) return false;
    const key = name === migInfo ? instanceKey(uuid, labelOf(labels, "gpu_instance_id")) : uuid;
    const found = isInfo ? labels : labels.filter(([label]) => described.has(label.toLowerCase()));
    const known = this.byKey.get(key);
    if (known !== undefined && Bun.deepEquals(known, found)) return false;
    // a GPU with instances has several series, which differ in nothing that is kept
    if (this.byKey.size >= maxIdentities) this.byKey.clear();
    this.byKey.set(key, found);
    return true;
  }

  /** What is known of a GPU; empty if nothing is. */
  gpu(uuid: string): readonly LabelCell[] {
    return this.byKey.get(uuid) ?? [];
  }

  /** The profile of an instance of a GPU; empty if it is not known. */
  profile(uuid: string, instanceId: string): string {
    return labelOf(this.byKey.get(instanceKey(uuid, instanceId)) ?? [], "profile");
  }
}

/** The value of a label, whose name may be in upper or lower case; empty if there is none. */
export function labelOf(labels: readonly LabelCell[], name: string): string {
  for (const [label, value] of labels) if (label === name || label.toLowerCase() === name) return value.trim();
  return "";
}

function instanceKey(uuid: string, instanceId: string): string {
  return `${uuid} ${instanceId}`;
}
