import { type Gpu, noWorkload } from "../../../domain/gpu.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import type { GpuState, NewestRecord } from "../hot-tier.ts";

// Writes and reads the hot tier's documents in etcd, which are JSON. Reading never throws.

/** The document of a GPU's slot. */
export function gpuDocument({ gpu, asOfMs, firstSeenAtMs }: GpuState): string {
  return JSON.stringify({
    uuid: gpu.uuid,
    cluster_id: gpu.clusterId,
    hostname: gpu.hostname,
    gpu_id: gpu.gpuId,
    device: gpu.device,
    model_name: gpu.modelName,
    driver_version: gpu.driverVersion,
    properties: gpu.properties,
    first_seen_at: formatTimestamp(firstSeenAtMs),
    as_of: formatTimestamp(asOfMs),
  });
}

/** The document of a host. */
export function hostDocument({ gpu, asOfMs }: GpuState): string {
  return JSON.stringify({ cluster_id: gpu.clusterId, hostname: gpu.hostname, as_of: formatTimestamp(asOfMs) });
}

/** The document of a cluster. */
export function clusterDocument({ gpu, asOfMs }: GpuState): string {
  return JSON.stringify({ id: gpu.clusterId, as_of: formatTimestamp(asOfMs) });
}

/** The document of a board, which names the slot that the board is in. */
export function boardDocument(slot: string, { asOfMs }: GpuState): string {
  return JSON.stringify({ slot, as_of: formatTimestamp(asOfMs) });
}

/** A record as an element of a host's data.
 *  @param state the GPU's state, if the document of the GPU's slot names another board */
export function dataEntry({ uuid, timeMs, metrics, custom, workload }: NewestRecord, state?: GpuState): string {
  const { container, pod, namespace } = workload;
  return JSON.stringify({
    uuid,
    timestamp: formatTimestamp(timeMs),
    metrics,
    ...(Object.keys(custom).length === 0 ? {} : { custom }),
    ...(container === "" && pod === "" && namespace === "" ? {} : { workload }),
    ...(state === undefined ? {} : { gpu: JSON.parse(gpuDocument(state)) as unknown }),
  });
}

/** The document of a host's records in one flush. */
export function dataDocument(entries: readonly string[]): string {
  return `{"records":[${entries.join(",")}]}`;
}

/** @returns undefined if the value is not the document of a GPU */
export function readGpu(value: Buffer): GpuState | undefined {
  return gpuOf(parsed(value));
}

/** @returns the slot that the board is in; undefined if the value is not the document of a board */
export function readBoard(value: Buffer): string | undefined {
  const slot = parsed(value)?.slot;
  return typeof slot === "string" ? slot : undefined;
}

/** Reads a host's data. Invalid records and GPUs are left out; a value that is not a host's data has none. */
export function readData(value: Buffer): { records: NewestRecord[]; gpus: GpuState[] } {
  const records: NewestRecord[] = [];
  const gpus: GpuState[] = [];
  const elements = parsed(value)?.records;
  for (const element of Array.isArray(elements) ? (elements as unknown[]) : []) {
    const fields = asObject(element);
    const [record, gpu] = [recordOf(fields), gpuOf(asObject(fields?.gpu))];
    if (record !== undefined) records.push(record);
    if (gpu !== undefined) gpus.push(gpu);
  }
  return { records, gpus };
}

type Fields = Readonly<Record<string, unknown>>;

function gpuOf(fields: Fields | undefined): GpuState | undefined {
  if (fields === undefined) return undefined;
  const { uuid, cluster_id: clusterId, hostname, gpu_id: gpuId, device, model_name: modelName } = fields;
  const { driver_version: driverVersion, first_seen_at: firstSeenAt, as_of: asOf } = fields;
  const texts = { uuid, clusterId, hostname, device, modelName, driverVersion };
  const properties = asObject(fields.properties);
  const [firstSeenAtMs, asOfMs] = [instantOf(firstSeenAt), instantOf(asOf)];
  const isWhole =
    Object.values(texts).every((text) => typeof text === "string") &&
    typeof gpuId === "number" &&
    properties !== undefined &&
    Object.values(properties).every((text) => typeof text === "string");
  if (!isWhole || firstSeenAtMs === undefined || asOfMs === undefined) return undefined;
  return { gpu: { ...texts, gpuId, properties } as Gpu, firstSeenAtMs, asOfMs };
}

function recordOf(fields: Fields | undefined): NewestRecord | undefined {
  if (fields === undefined) return undefined;
  const { uuid, timestamp } = fields;
  const timeMs = instantOf(timestamp);
  const [metrics, custom] = [numbersOf(fields.metrics), numbersOf(fields.custom ?? {})];
  if (typeof uuid !== "string" || timeMs === undefined || metrics === undefined || custom === undefined)
    return undefined;
  const workload = asObject(fields.workload);
  if (workload === undefined) return { uuid, timeMs, metrics, custom, workload: noWorkload };
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  const { container, pod, namespace } = workload;
  const texts = { container: text(container), pod: text(pod), namespace: text(namespace) };
  return { uuid, timeMs, metrics, custom, workload: texts };
}

function instantOf(text: unknown): number | undefined {
  const ms = typeof text === "string" ? Date.parse(text) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function numbersOf(value: unknown): Record<string, number> | undefined {
  const fields = asObject(value);
  for (const name in fields) if (typeof fields[name] !== "number") return undefined;
  return fields as Record<string, number> | undefined;
}

function asObject(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function parsed(value: Buffer): Fields | undefined {
  try {
    return asObject(JSON.parse(value.toString()));
  } catch {
    return undefined;
  }
}
