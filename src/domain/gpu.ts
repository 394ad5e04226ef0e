/** A GPU as its telemetry names it. Known by `uuid` everywhere. */
export interface Gpu extends Attributes {
  /** DCGM's `UUID`, e.g. `GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4`; other shapes are accepted. */
  readonly uuid: string;
}

/** What may change of a GPU over time: a board is moved, a driver installed. */
export interface Attributes {
  readonly clusterId: string;
  readonly hostname: string;
  /** Index on its host, from 0. */
  readonly gpuId: number;
  /** e.g. `nvidia0`; empty where the input does not say. */
  readonly device: string;
  /** e.g. `NVIDIA H100 80GB HBM3`; empty where the input does not say. */
  readonly modelName: string;
  /** e.g. `535.129.03`; empty where the input does not say. */
  readonly driverVersion: string;
  /** Every further label of the input (instance, job, serial, ...), by its own name. */
  readonly properties: Readonly<Record<string, string>>;
}

/** What ran on a GPU at an instant, as Kubernetes names it; all empty where nothing did or nobody said. */
export interface Workload {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
}

/** The workload of a record that names none. */
export const noWorkload: Workload = { container: "", pod: "", namespace: "" };

/** True where both name the same container, pod and namespace. */
export function isSameWorkload(a: Workload, b: Workload): boolean {
  return a === b || (a.pod === b.pod && a.container === b.container && a.namespace === b.namespace);
}

/** What an input says of a GPU where something is known already: what it leaves open (an empty text, a label that it does
 *  not have) stays as it was. */
export function filledUp<Said extends Attributes>(said: Said, before: Attributes): Said {
  return {
    ...said,
    device: said.device || before.device,
    modelName: said.modelName || before.modelName,
    driverVersion: said.driverVersion || before.driverVersion,
    properties: { ...before.properties, ...said.properties },
  };
}

/** True where filling up the one from the other gives the known: the usual case, told without making an object. */
export function addsNothing(known: Attributes, said: Attributes): boolean {
  if (known === said) return true;
  const isCovered = (name: "device" | "modelName" | "driverVersion"): boolean =>
    said[name] === known[name] || said[name] === "";
  return (
    said.hostname === known.hostname &&
    said.gpuId === known.gpuId &&
    said.clusterId === known.clusterId &&
    isCovered("device") &&
    isCovered("modelName") &&
    isCovered("driverVersion") &&
    coversProperties(known.properties, said.properties)
  );
}

/** True where both say the same. */
export function isSameAttributes(a: Attributes, b: Attributes): boolean {
  return addsNothing(a, b) && addsNothing(b, a);
}

/** GPUs in the order of lists: by hostname, index and uuid; texts by their code units, as PostgreSQL's collation "C" has
 *  them for what names are made of. */
export function byPlace(a: Gpu, b: Gpu): number {
  return byText(a.hostname, b.hostname) || a.gpuId - b.gpuId || byText(a.uuid, b.uuid);
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function coversProperties(known: Attributes["properties"], said: Attributes["properties"]): boolean {
  for (const name in said) if (known[name] !== said[name]) return false;
  return true;
}
