/** A GPU as its telemetry describes it. The `uuid` identifies the GPU everywhere. */
export interface Gpu extends Attributes {
  /** DCGM's `UUID`, e.g. `GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4`; other shapes are accepted. */
  readonly uuid: string;
}

/** The properties of a GPU that may change over time, such as when a board is moved or a driver is installed. */
export interface Attributes {
  readonly clusterId: string;
  readonly hostname: string;
  /** Index of the GPU on its host, from 0. */
  readonly gpuId: number;
  /** e.g. `nvidia0`; empty if the input has none. */
  readonly device: string;
  /** e.g. `NVIDIA H100 80GB HBM3`; empty if the input has none. */
  readonly modelName: string;
  /** e.g. `535.129.03`; empty if the input has none. */
  readonly driverVersion: string;
  /** All other labels of the input (instance, job, serial, ...), by name. */
  readonly properties: Readonly<Record<string, string>>;
}

/** The Kubernetes workload on a GPU at an instant; all fields are empty if there is no workload, or if the input
 *  names none. */
export interface Workload {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
}

/** The value for a record without a workload. */
export const noWorkload: Workload = { container: "", pod: "", namespace: "" };

/** True if both workloads have the same container, pod and namespace. */
function isSameWorkload(a: Workload, b: Workload): boolean {
  return a === b || (a.pod === b.pod && a.container === b.container && a.namespace === b.namespace);
}

/** The workloads that hold a GPU at an instant: none, one, or several that share it. Sorted by namespace, pod and container; no
 *  element is a part of another one (see `occupantsOf`). */
export type Occupants = readonly Workload[];

/** The occupants of a GPU that no workload holds. */
export const noOccupants: Occupants = [];

/** Sorts workloads, and leaves out empty workloads, repeated ones, and each workload whose fields are all empty or equal to
 *  those of another workload. The order of `workloads` does not matter. */
export function occupantsOf(workloads: readonly Workload[]): Occupants {
  const distinct = workloads.filter(
    (workload, index) =>
      !isPartOf(workload, noWorkload) &&
      workloads.every((other, otherIndex) => {
        if (otherIndex === index || !isPartOf(workload, other)) return true;
        return otherIndex > index && isSameWorkload(workload, other);
      }),
  );
  return distinct.length === 0 ? noOccupants : distinct.sort(byWorkload);
}

/** The occupants in either set. @returns `existing` itself if `incoming` adds none */
export function mergedOccupants(existing: Occupants, incoming: Occupants): Occupants {
  if (incoming.every((workload) => existing.some((other) => isPartOf(workload, other)))) return existing;
  return occupantsOf([...existing, ...incoming]);
}

/** True if both sets have the same workloads. */
export function isSameOccupants(a: Occupants, b: Occupants): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((workload, index) => isSameWorkload(workload, b[index] as Workload));
}

function isPartOf(workload: Workload, other: Workload): boolean {
  return workloadFields.every((field) => workload[field] === "" || workload[field] === other[field]);
}

const workloadFields = ["namespace", "pod", "container"] as const;

function byWorkload(a: Workload, b: Workload): number {
  return byText(a.namespace, b.namespace) || byText(a.pod, b.pod) || byText(a.container, b.container);
}

/** Fills the gaps of incoming attributes: an empty text or a missing property gets the existing value. */
export function completed<Incoming extends Attributes>(incoming: Incoming, existing: Attributes): Incoming {
  return {
    ...incoming,
    device: incoming.device || existing.device,
    modelName: incoming.modelName || existing.modelName,
    driverVersion: incoming.driverVersion || existing.driverVersion,
    properties: { ...existing.properties, ...incoming.properties },
  };
}

/** What two rows of one GPU and instant say about it, field by field: a text wins over an empty one, and the greater of two
 *  texts over the other. The order of the rows does not matter.
 *  @returns `a` or `b` itself if the other adds nothing */
export function combined(a: Gpu, b: Gpu): Gpu {
  if (isGreatest(a, b)) return a;
  if (isGreatest(b, a)) return b;
  const greater = (name: TextField): string => (a[name] > b[name] ? a[name] : b[name]);
  const properties = new Map(Object.entries(a.properties));
  for (const [name, text] of Object.entries(b.properties)) {
    const existing = properties.get(name);
    if (existing === undefined || text > existing) properties.set(name, text);
  }
  return {
    uuid: a.uuid,
    clusterId: greater("clusterId"),
    hostname: greater("hostname"),
    gpuId: Math.max(a.gpuId, b.gpuId),
    device: greater("device"),
    modelName: greater("modelName"),
    driverVersion: greater("driverVersion"),
    properties: Object.fromEntries([...properties].sort(([nameA], [nameB]) => byText(nameA, nameB))),
  };
}

type TextField = "clusterId" | "hostname" | "device" | "modelName" | "driverVersion";
const textFields = ["clusterId", "hostname", "device", "modelName", "driverVersion"] as const;

/** True if no field of `b` is greater. */
function isGreatest(a: Gpu, b: Gpu): boolean {
  const has = new Map(Object.entries(a.properties));
  return (
    a.gpuId >= b.gpuId &&
    textFields.every((name) => a[name] >= b[name]) &&
    Object.entries(b.properties).every(([name, text]) => {
      const existing = has.get(name);
      return existing !== undefined && existing >= text;
    })
  );
}

/** True if all attributes are equal. */
export function isSameAttributes(a: Attributes, b: Attributes): boolean {
  if (a === b) return true;
  return (
    a.hostname === b.hostname &&
    a.gpuId === b.gpuId &&
    a.clusterId === b.clusterId &&
    a.device === b.device &&
    a.modelName === b.modelName &&
    a.driverVersion === b.driverVersion &&
    coversProperties(a.properties, b.properties) &&
    coversProperties(b.properties, a.properties)
  );
}

/** Orders the GPUs of a list: by hostname, index and uuid. Texts are compared by UTF-16 code units. PostgreSQL's
 *  collation "C" gives the same order, unless a name has characters beyond U+FFFF. */
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
