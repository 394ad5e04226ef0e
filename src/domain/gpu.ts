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
  return a.container === b.container && a.pod === b.pod && a.namespace === b.namespace;
}
