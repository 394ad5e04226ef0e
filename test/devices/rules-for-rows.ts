import { isOfBoard, seriesOf } from "./rules-for-series.ts";

/** A row of the file, by the names of its columns. */
export type Row = Partial<Record<string, string>>;

export interface WorkloadTexts {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
}

export const workloadFields = ["container", "pod", "namespace"] as const;

/** What a row says about a device at an instant. */
export interface Claim {
  /** The uuid of the device. */
  readonly owner: string;
  readonly timestamp: string;
  readonly hostname: string;
  readonly gpuId: string;
  readonly device: string;
  readonly modelName: string;
  readonly driverVersion: string;
  readonly properties: Readonly<Record<string, string>>;
  /** Undefined if the row has no workload or only a text, or has the workload of another device. */
  readonly workload: WorkloadTexts | undefined;
  /** Undefined if the row's value is a text about the GPU. */
  readonly sample: { readonly series: string; readonly value: number } | undefined;
}

/** Labels that repeat a column, tell apart series or instances, name workloads, or explain a value. */
const noProperties = new Set([
  ...["__name__", "Hostname", "UUID", "device", "gpu", "modelName", "DCGM_FI_DRIVER_VERSION"],
  ...["GPU_I_ID", "GPU_I_PROFILE", "err_code", "err_msg"],
  ...["xid", "nvlink", "clock_event", "health_watch", "health_error_code", "vgpu", "window_size_in_ms"],
  ...workloadFields,
  ...workloadFields.map((field) => `exported_${field}`),
]);

/** A row about a MIG instance is about the whole GPU if the metric is the board's. */
export function claimsOf(row: Row): Claim {
  const { uuid = "", timestamp = "", metric_name: metric = "", Hostname: hostname = "", gpu_id: gpuId = "" } = row;
  const labels = labelsOf(row["labels_raw"] ?? "");
  const instance = labels["GPU_I_ID"] ?? "";
  const subject = instance === "" ? uuid : `${uuid}:mig:${instance}:${labels["GPU_I_PROFILE"] ?? ""}`;
  const isText = metric === "DCGM_FI_DEV_SERIAL";
  const owner = isText || isOfBoard(metric) ? uuid : subject;
  const named = Object.entries(labels).filter(([name]) => !noProperties.has(name));
  const properties = { ...Object.fromEntries(named), ...(isText ? { serial: row["value"] ?? "" } : {}) };
  return {
    ...{ owner, timestamp, hostname, gpuId, device: row["device"] ?? "", modelName: row["modelName"] ?? "" },
    driverVersion: labels["DCGM_FI_DRIVER_VERSION"] ?? "",
    properties,
    workload: isText || owner !== subject ? undefined : workloadOf(row, labels),
    sample: isText ? undefined : { series: seriesOf(metric, labels), value: Number(row["value"]) },
  };
}

/** If Prometheus has renamed the exporter's labels, the columns name the exporter's own pod. Otherwise, the labels count if the
 *  columns name no workload. The exporter is no workload. */
function workloadOf(row: Row, labels: Row): WorkloadTexts | undefined {
  const isExported = workloadFields.some((field) => `exported_${field}` in labels);
  const from = (text: (field: string) => string | undefined): WorkloadTexts | undefined => {
    const [container = "", pod = "", namespace = ""] = workloadFields.map(text);
    return container + pod + namespace === "" || pod.includes("dcgm-exporter")
      ? undefined
      : { container, pod, namespace };
  };
  if (isExported) return from((field) => labels[`exported_${field}`]);
  return from((field) => row[field]) ?? from((field) => labels[field]);
}

function labelsOf(text: string): Row {
  return Object.fromEntries(Array.from(text.matchAll(/(\w+)="([^"]*)"/g), ([, name = "", value]) => [name, value]));
}
