/** A GPU as its telemetry names it. Its `uuid` identifies it everywhere. */
export interface Gpu extends Attributes {
  /** DCGM's `UUID`, e.g. `GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4`; other shapes are accepted. */
  readonly uuid: string;
}

/** The properties of a GPU that may change over time: a board is moved, a driver installed. */
export interface Attributes {
  readonly clusterId: string;
  readonly hostname: string;
  /** Index on its host, from 0. */
  readonly gpuId: number;
  /** e.g. `nvidia0`; empty if the input has none. */
  readonly device: string;
  /** e.g. `NVIDIA H100 80GB HBM3`; empty if the input has none. */
  readonly modelName: string;
  /** e.g. `535.129.03`; empty if the input has none. */
  readonly driverVersion: string;
  /** Every further label of the input (instance, job, serial, ...), by its own name. */
  readonly properties: Readonly<Record<string, string>>;
}

/** The Kubernetes workload on a GPU at an instant; all fields are empty if there is none, or the input does not name it. */
export interface Workload {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
}

/** The workload of a record without one. */
export const noWorkload: Workload = { container: "", pod: "", namespace: "" };

/** True if both have the same container, pod and namespace. */
export function isSameWorkload(a: Workload, b: Workload): boolean {
  return a === b || (a.pod === b.pod && a.container === b.container && a.namespace === b.namespace);
}

/** Completes incoming attributes by the existing ones: an empty text or a missing label of the input stays as it was. */
export function completed<Incoming extends Attributes>(incoming: Incoming, existing: Attributes): Incoming {
  return {
    ...incoming,
    device: incoming.device || existing.device,
    modelName: incoming.modelName || existing.modelName,
    driverVersion: incoming.driverVersion || existing.driverVersion,
    properties: { ...existing.properties, ...incoming.properties },
  };
}

/** True if completing the incoming attributes gives the existing ones: the usual case, decided without making an object. */
export function addsNothing(existing: Attributes, incoming: Attributes): boolean {
  if (existing === incoming) return true;
  const isCovered = (name: "device" | "modelName" | "driverVersion"): boolean =>
    incoming[name] === existing[name] || incoming[name] === "";
  return (
    incoming.hostname === existing.hostname &&
    incoming.gpuId === existing.gpuId &&
    incoming.clusterId === existing.clusterId &&
    isCovered("device") &&
    isCovered("modelName") &&
    isCovered("driverVersion") &&
    coversProperties(existing.properties, incoming.properties)
  );
}

/** True if both are the same. */
export function isSameAttributes(a: Attributes, b: Attributes): boolean {
  return addsNothing(a, b) && addsNothing(b, a);
}

/** Orders GPUs as lists do: by hostname, index and uuid. Texts are compared by code units, which for the characters of names
 *  is PostgreSQL's collation "C". */
export function byPlace(a: Gpu, b: Gpu): number {
  return byText(a.hostname, b.hostname) || a.gpuId - b.gpuId || byText(a.uuid, b.uuid);
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function coversProperties(existing: Attributes["properties"], incoming: Attributes["properties"]): boolean {
  for (const name in incoming) if (existing[name] !== incoming[name]) return false;
  return true;
}
