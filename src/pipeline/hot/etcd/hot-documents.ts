import { type Gpu, type Occupants, occupantsOf, type Workload } from "../../../domain/gpu.ts";
import { defined } from "../../../kit/defined.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { versionOf } from "../contested-version.ts";
import type { CoalescedRecords, GpuState, NewestRecord, ReportedGpu } from "../hot-tier.ts";
import type { GpuUpdate } from "../newest-of-batch.ts";

// Writes and reads the hot tier's documents in etcd, which are JSON. Reading never throws.

/** The values that identify a host. */
type HostPlace = Pick<Gpu, "clusterId" | "hostname">;

/** A record in a host's data. */
export interface DataRecord {
  readonly record: NewestRecord;
  /** The fields that the record leaves open, as in the GPU's state. */
  readonly openSinceMs: GpuState["openSinceMs"];
}

/** The document of a GPU's slot. */
export function gpuDocument(state: GpuState): string {
  const { gpu, asOfMs, openSinceMs, firstSeenAtMs } = state;
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
    ...openFields(openSinceMs),
    ...versionField(state),
  });
}

function versionField({ contestedVersion }: Pick<GpuState, "contestedVersion">): {
  readonly contested_version?: number;
} {
  return contestedVersion === undefined ? {} : { contested_version: contestedVersion };
}

function versionIn({ contested_version: version }: Fields): Pick<GpuState, "contestedVersion"> {
  return typeof version === "number" ? { contestedVersion: version } : {};
}

function openFields(openSinceMs: GpuState["openSinceMs"]): { readonly open_since?: Readonly<Record<string, string>> } {
  const open = Array.from(openSinceMs, ([name, ms]) => [name, formatTimestamp(ms)] as const);
  return open.length === 0 ? {} : { open_since: Object.fromEntries(open) };
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

/** A record as an element of the data of the host that the GPU is on. It has all that the update says about the GPU, because the
 *  documents do not always: another process may have changed them since they were cached, and may change them before this one does.
 *  @param state the GPU's state as of the record, or of a later record without values
 *  @param isDisplaced true if the document of the GPU's slot names another board: the element then has the state */
export function dataEntry(update: GpuUpdate, state: GpuState, isDisplaced: boolean): string {
  const { uuid, timeMs, reported, metrics, custom, occupants, traceparent, coalesced } = update.record;
  const { driverVersion, properties } = update.state.gpu;
  const [workload] = occupants;
  return JSON.stringify({
    uuid,
    timestamp: formatTimestamp(timeMs),
    ...reportedFields(reported, state.gpu),
    metrics,
    ...(Object.keys(custom).length === 0 ? {} : { custom }),
    ...(workload === undefined ? {} : { workload }),
    ...(occupants.length < 2 ? {} : { occupants }),
    ...(state.asOfMs === timeMs ? openFields(state.openSinceMs) : {}),
    ...versionField(update.record),
    ...defined({ traceparent }),
    ...(coalesced === undefined ? {} : coalescedFields(coalesced)),
    ...(isDisplaced || !isOfRecord(update)
      ? { gpu: JSON.parse(gpuDocument(state)) as unknown }
      : { ...(driverVersion === "" ? {} : { driver_version: driverVersion }), properties }),
  });
}

function coalescedFields({ sinceMs, records }: CoalescedRecords) {
  return { coalesced: { since: formatTimestamp(sinceMs), records } };
}

function coalescedIn(fields: Fields): CoalescedRecords | undefined {
  const { since, records } = asObject(fields.coalesced) ?? {};
  const sinceMs = instantOf(since);
  return sinceMs === undefined || typeof records !== "number" ? undefined : { sinceMs, records };
}

/** True if the state is what the record alone says about the GPU, apart from the instant of the GPU's oldest record. */
function isOfRecord({ record: { reported, timeMs }, state: { gpu, asOfMs, openSinceMs } }: GpuUpdate): boolean {
  const names = ["clusterId", "hostname", "gpuId", "device", "modelName"] as const;
  return asOfMs === timeMs && openSinceMs.size === 0 && names.every((name) => gpu[name] === reported[name]);
}

/** The state of a GPU as an element of a host's data, without a record. */
export function stateEntry(state: GpuState): string {
  return `{"gpu":${gpuDocument(state)}}`;
}

/** @param host the host whose data has the record */
function reportedFields({ clusterId, hostname, gpuId, device, modelName }: ReportedGpu, host: HostPlace) {
  return {
    ...(hostname === host.hostname && clusterId === host.clusterId ? {} : { cluster_id: clusterId, hostname }),
    gpu_id: gpuId,
    ...(device === "" ? {} : { device }),
    ...(modelName === "" ? {} : { model_name: modelName }),
  };
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

/** Reads a host's data, without invalid records and GPUs. Both lists are empty if the value is not a host's data.
 *  @param host from the key */
export function readData(value: Buffer, host: HostPlace): { records: DataRecord[]; gpus: GpuState[] } {
  const records: DataRecord[] = [];
  const gpus: GpuState[] = [];
  const elements = parsed(value)?.records;
  for (const element of Array.isArray(elements) ? (elements as unknown[]) : []) {
    const fields = asObject(element);
    const record = recordOf(fields, host);
    const gpu = gpuOf(asObject(fields?.gpu)) ?? stateIn(fields, record);
    if (record !== undefined) records.push({ record, openSinceMs: openSinceIn(fields) });
    if (gpu !== undefined) gpus.push(gpu);
  }
  return { records, gpus };
}

/** What an element's record says about its GPU.
 *  @returns undefined if the element was written by a version that did not write it, or has the whole state instead */
function stateIn(fields: Fields | undefined, record: NewestRecord | undefined): GpuState | undefined {
  const { driver_version: driverVersion, properties } = fields ?? {};
  if (record === undefined || !isTexts(properties)) return undefined;
  const { uuid, reported, timeMs } = record;
  const { gpuId, ...place } = reported;
  if (gpuId === undefined) return undefined;
  const gpu = { uuid, ...place, gpuId, driverVersion: textIn(driverVersion), properties };
  return { gpu, asOfMs: timeMs, firstSeenAtMs: timeMs, openSinceMs: new Map(), ...versionOf(record) };
}

type Fields = Readonly<Record<string, unknown>>;

function gpuOf(fields: Fields | undefined): GpuState | undefined {
  if (fields === undefined) return undefined;
  const { uuid, cluster_id: clusterId, hostname, gpu_id: gpuId, device, model_name: modelName } = fields;
  const { driver_version: driverVersion, first_seen_at: firstSeenAt, as_of: asOf } = fields;
  const texts = { uuid, clusterId, hostname, device, modelName, driverVersion };
  const { properties } = fields;
  const [firstSeenAtMs, asOfMs] = [instantOf(firstSeenAt), instantOf(asOf)];
  const isWhole =
    Object.values(texts).every((text) => typeof text === "string") && typeof gpuId === "number" && isTexts(properties);
  if (!isWhole || firstSeenAtMs === undefined || asOfMs === undefined) return undefined;
  return {
    ...{ gpu: { ...texts, gpuId, properties } as Gpu, firstSeenAtMs, asOfMs, openSinceMs: openSinceIn(fields) },
    ...versionIn(fields),
  };
}

/** The valid instants of open fields. */
function openSinceIn(fields: Fields | undefined): GpuState["openSinceMs"] {
  return new Map(
    Object.entries(asObject(fields?.open_since) ?? {}).flatMap(([name, text]): [string, number][] => {
      const ms = instantOf(text);
      return ms === undefined ? [] : [[name, ms]];
    }),
  );
}

function recordOf(fields: Fields | undefined, host: HostPlace): NewestRecord | undefined {
  if (fields === undefined) return undefined;
  const { uuid, timestamp } = fields;
  const timeMs = instantOf(timestamp);
  const [metrics, custom] = [numbersOf(fields.metrics), numbersOf(fields.custom ?? {})];
  if (typeof uuid !== "string" || timeMs === undefined || metrics === undefined || custom === undefined)
    return undefined;
  const reported = reportedIn(fields, host);
  const traceparent = typeof fields.traceparent === "string" ? fields.traceparent : undefined;
  const others = { ...versionIn(fields), ...defined({ traceparent, coalesced: coalescedIn(fields) }) };
  return { uuid, reported, timeMs, metrics, custom, occupants: occupantsIn(fields), ...others };
}

function reportedIn(fields: Fields, host: HostPlace): ReportedGpu {
  const { cluster_id: clusterId, hostname, gpu_id: gpuId, device, model_name: modelName } = fields;
  return {
    clusterId: textIn(clusterId) || host.clusterId,
    hostname: textIn(hostname) || host.hostname,
    gpuId: typeof gpuId === "number" ? gpuId : undefined,
    device: textIn(device),
    modelName: textIn(modelName),
  };
}

/** Several workloads are in `occupants`; a single one is in `workload`. */
function occupantsIn({ workload, occupants }: Fields): Occupants {
  const elements: unknown[] = Array.isArray(occupants) ? occupants : [workload];
  return occupantsOf(elements.flatMap((element) => workloadOf(asObject(element))));
}

function workloadOf(fields: Fields | undefined): Workload[] {
  if (fields === undefined) return [];
  return [{ container: textIn(fields.container), pod: textIn(fields.pod), namespace: textIn(fields.namespace) }];
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  const fields = asObject(value);
  for (const name in fields) if (typeof fields[name] !== "string") return false;
  return fields !== undefined;
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
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
