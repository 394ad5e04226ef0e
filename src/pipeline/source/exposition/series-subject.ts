import type { Dialect } from "../../../domain/dialects/spelling.ts";
import { dialectOfName } from "../../../domain/dialects/dialect-of.ts";
import { spellingOf } from "../../../domain/dialects/spelling-of.ts";
import { defaultClusterId } from "../../../domain/default-names.ts";
import {
  type FieldError,
  invalidText,
  missingField,
  missingIdentity,
  parseGpuId,
} from "../../../domain/field-rules.ts";
import { migInstanceOf } from "../../../domain/mig-instance.ts";
import { hasLabels } from "../../../domain/series-of-metric.ts";
import { meansNoValue } from "../../../domain/value.ts";
import { GpuCache, type RowSubject } from "../labels/gpu-cache.ts";
import { identityError } from "../labels/identity-error.ts";
import { exportedPrefix, type LabelCell } from "../labels/labels.ts";
import type { SharedTexts } from "../labels/shared-texts.ts";
import { namedSeries, type NamedSeries } from "../labels/series-labels.ts";
import { isExporterName, workloadOfLabels } from "../labels/workload-of-labels.ts";
import { type JoinedIdentities, labelOf } from "./joined-identities.ts";
import type { ScannedSeries } from "./scanned-exposition.ts";
import type { TargetContext } from "./target-context.ts";

/** What the name of a series says: all series of that name share it. */
export interface MetricSubject extends NamedSeries {
  /** The name of the metric in the exposition. */
  readonly name: string;
  readonly exporter: Exporter;
  /** True if the catalogue has the name itself, whatever the labels say. */
  readonly isSpelled: boolean;
}

/** What the labels of a series say: all series with these labels share it. */
export interface DeviceSubject extends RowSubject {
  /** The series of labels that tell series apart, by the names of their metrics. */
  readonly named: Map<string, MetricSubject>;
}

/** Names by which a machine calls itself, which tell nothing about it. */
const ownNames: ReadonlySet<string> = new Set(["localhost", "localhost.localdomain", "127.0.0.1", "::1", "0.0.0.0"]);
/** The uuid of nvidia_gpu_exporter, which cuts NVIDIA's prefix off. */
const bareUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Series of nvidia_gpu_exporter that describe devices or processes: they are no metrics of a GPU. Of a text that it takes for a
 *  number, it prints what it reads as one: 2080 for "GeForce RTX 2080 SUPER", 7809 for the PCI device 0x1E81, 1.1 for the version 1.10. */
const notMetrics =
  /^nvidia_smi_(?:gpu_info|mig_info|compute_app_.*|index|count|name|(?:gpu_)?serial|minor_number|board_id|(?:driver|vbios|cuda)_version|compute_cap|inforom_.*|pci_(?:bus|bus_id|device|device_id|domain|sub_device_id))$/;
/** Labels that this file reads, besides those that parseLabels takes for columns. */
const readLabels: ReadonlySet<string> = new Set([
  ...[
    "gpu_uuid",
    "card_series",
    "card_model",
    "gpu_instance_id",
    "compute_instance_id",
    "mig_uuid",
    "profile",
    "index",
    "name",
  ],
]);
/** Labels of AMD's exporter that differ with a value, and so describe no GPU: how bad an error is, and the processes on the GPU. */
const valueLabels: ReadonlySet<string> = new Set(["severity", "kfd_process_id"]);
/** AMD's names of labels that others have too. */
const otherNames: ReadonlyMap<string, string> = new Map([["serial_number", "serial"]]);

/** Finds the devices and metrics of series, by the rules that rows of a CSV have. */
export class SeriesSubjects {
  private readonly gpus: GpuCache;
  private readonly contextLabels: readonly LabelCell[];
  private described = new WeakMap<ScannedSeries["labels"], Described>();

  constructor(
    private readonly context: TargetContext,
    private readonly identities: JoinedIdentities,
    private readonly texts: SharedTexts,
  ) {
    this.gpus = new GpuCache(context.clusterId ?? defaultClusterId, texts);
    this.contextLabels = Object.entries(context.labels);
  }

  /** @returns undefined for a name that is not that of a GPU's metric */
  metricOf(name: string): MetricSubject | undefined {
    const dialect = dialectOfName(name);
    if (dialect === undefined || notMetrics.test(name)) return undefined;
    const exporter: Exporter = dialect === "amd" || dialect === "nvidia_gpu_exporter" ? dialect : "dcgm";
    const isSpelled = spellingOf(name) !== undefined;
    return this.texts.sharedObject(["metric", name], () => ({ name, exporter, isSpelled, ...namedSeries(name) }));
  }

  /** @returns undefined for a series that is not about a GPU; the error of one that is, but does not tell which */
  deviceOf(labels: ScannedSeries["labels"], metric: MetricSubject): DeviceSubject | FieldError | undefined {
    const { hasUuid, found } = this.describedBy(labels, metric.exporter);
    // exporters have such metrics of themselves, of CPUs and of switches
    if (!hasUuid && !metric.isSpelled) return undefined;
    if ("reason" in found) return found;
    return invalidText("__name__", metric.name) ?? found;
  }

  /** The metric with the labels of the device that tell series apart. */
  seriesOf(metric: MetricSubject, { series, named }: DeviceSubject): MetricSubject {
    if (!hasLabels(series)) return metric;
    const known = named.get(metric.name);
    if (known !== undefined) return known;
    const labelled = { ...metric, ...namedSeries(metric.name, series) };
    named.set(metric.name, labelled);
    return labelled;
  }

  /** Call it when `identities` have changed. */
  forget(): void {
    this.described = new WeakMap();
  }

  /** A GPU's series have the same labels, which are read once. */
  private describedBy(labels: ScannedSeries["labels"], exporter: Exporter): Described {
    const known = this.described.get(labels);
    if (known?.exporter === exporter) return known;
    const identity = this.identityOf(labels, exporter);
    const described = { exporter, hasUuid: identity.uuid !== "", found: this.found(identity) } as const;
    this.described.set(labels, described);
    return described;
  }

  private found(identity: Identity): DeviceSubject | FieldError {
    const gpuId = this.gpuIdOf(identity);
    if (typeof gpuId !== "number") return gpuId;
    const error = errorOf(identity);
    if (error !== undefined) return error;
    const { uuid, hostname, device, modelName, cells } = identity;
    const found = this.gpus.deviceOf({ uuid, hostname, gpuId, device, modelName, labels: "", labelCells: cells });
    const uuidError = invalidText("uuid", found.device.uuid);
    if (uuidError !== undefined) return uuidError;
    const workload = workloadOfLabels(found);
    return "reason" in workload ? workload : { ...found, workload, named: new Map() };
  }

  private identityOf(labels: ScannedSeries["labels"], exporter: Exporter): Identity {
    const named = labelOf(labels, "uuid") || labelOf(labels, "gpu_uuid");
    const ownUuid = named === "" || meansNoValue(named) ? amdUuid(labels, exporter) || named : named;
    const instance = exporter === "nvidia_gpu_exporter" ? labelOf(labels, "gpu_instance_id") : "";
    const joined = this.identities.gpu(ownUuid);
    const all = [...this.contextLabels, ...joined, ...labels];
    const last = (...names: readonly string[]): string => lastLabel(all, names);
    const series = last("modelname", "model_name", "card_series");
    // of AMD's exporter: a part number such as 102-G30211-0C if the series has a label of its own, otherwise the name
    const model = last("card_model");
    const cells = all.flatMap(([label, value]) => propertyOf(label, value));
    if (series !== "" && model !== "") cells.push(["card_model", model]);
    if (instance !== "") {
      cells.push(["GPU_I_ID", instance], ["GPU_I_PROFILE", this.identities.profile(ownUuid, instance)]);
    }
    return {
      uuid: bareUuid.test(ownUuid) && exporter === "nvidia_gpu_exporter" ? `GPU-${ownUuid}` : ownUuid,
      hostname:
        hostOf([last("hostname"), last("node", "kubernetes_node"), hostIn(last("instance"))]) ?? this.context.host,
      gpuText: last("gpu", "gpu_id") || lastLabel(joined, ["index"]),
      device: last("device"),
      modelName: series || model || lastLabel(joined, ["name"]),
      cells,
    };
  }

  private gpuIdOf({ uuid, gpuText }: Identity): number | FieldError {
    if (uuid === "") return missingField("UUID");
    if (gpuText !== "") return parseGpuId("gpu", gpuText);
    const message = `Nothing in the exposition tells the index of GPU ${uuid} on its host: neither a label gpu nor nvidia_smi_gpu_info.`;
    return { reason: "missing_field", field: "gpu", value: "", message };
  }
}

/** True if another series of the exporter describes the device, and has not come yet: nvidia_smi_gpu_info, which has the index of a GPU, or
 *  nvidia_smi_mig_info, which has the profile of a MIG instance. */
export function awaitsDescription({ exporter }: MetricSubject, device: DeviceSubject | FieldError): boolean {
  if ("reason" in device) return device.reason === "missing_field" && device.field === "gpu";
  return exporter === "nvidia_gpu_exporter" && migInstanceOf(device.device.uuid)?.profile === "";
}

/** The exporters whose labels differ: the releases of dcgm-exporter count as one. */
type Exporter = Extract<Dialect, "dcgm" | "nvidia_gpu_exporter" | "amd">;

/** What labels say of their device. */
interface Described {
  /** That of the series that have the labels. */
  readonly exporter: Exporter;
  readonly hasUuid: boolean;
  readonly found: DeviceSubject | FieldError;
}

/** What a series says of its device, with what is joined. */
interface Identity {
  readonly uuid: string;
  readonly hostname: string;
  readonly gpuText: string;
  readonly device: string;
  readonly modelName: string;
  readonly cells: LabelCell[];
}

function errorOf({ uuid, hostname, device, modelName }: Identity): FieldError | undefined {
  return identityError({ uuid: { field: "UUID", text: uuid }, hostname: { field: "Hostname", text: hostname } }, [
    { field: "device", text: device },
    { field: "modelName", text: modelName },
  ]);
}

/** The first name that is that of a machine: `localhost` and the exporter's own pod are none. Prometheus, which may hand on the series of
 *  many hosts, adds the others: the labels of its discovery, and the address that it has scraped. */
function hostOf(names: readonly string[]): string | undefined {
  return names.find((name) => name !== "" && !ownNames.has(name.toLowerCase()) && !isExporterName(name));
}

/** The host of `host:port`; a pair of brackets is around an IPv6 address. */
function hostIn(address: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(address) ?? [];
  return bracketed ?? plain ?? address;
}

/** An empty label is no label in Prometheus, but an empty exported_pod shows that `pod` is the exporter's own. */
function propertyOf(label: string, value: string): LabelCell[] {
  const name = label.toLowerCase();
  if (readLabels.has(name) || valueLabels.has(name) || (meansNoValue(value) && !name.startsWith(exportedPrefix)))
    return [];
  return [[otherNames.get(name) ?? label, value]];
}

/** AMD's exporter has no uuid unless it is configured. A part of a divided GPU has the serial number of the GPU; the first part is the
 *  one that has the values of the whole board. A GPU that cannot be divided has the part `NA`. */
function amdUuid(labels: readonly LabelCell[], exporter: Exporter): string {
  const serial = exporter === "amd" ? labelOf(labels, "serial_number") : "";
  if (missingIdentity("serial_number", serial, "uuid") !== undefined) return "";
  const part = labelOf(labels, "gpu_partition_id");
  return /^[1-9]\d*$/.test(part) ? `AMD-${serial}-${part}` : `AMD-${serial}`;
}

/** The last value that is not empty, of labels in lower case. */
function lastLabel(labels: readonly LabelCell[], names: readonly string[]): string {
  let found = "";
  for (const [label, value] of labels) {
    if (value !== "" && !meansNoValue(value) && names.includes(label.toLowerCase())) found = value.trim();
  }
  return found;
}
