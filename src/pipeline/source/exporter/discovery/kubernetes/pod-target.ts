import { type Static, Type } from "@sinclair/typebox";
import { readTarget, type Target } from "../../target.ts";

const portSchema = Type.Object({ name: Type.Optional(Type.String()), containerPort: Type.Integer() });

/** What is read of a pod.
 *  Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
export const podSchema = Type.Object({
  metadata: Type.Object({
    name: Type.String(),
    namespace: Type.String(),
    resourceVersion: Type.String(),
    deletionTimestamp: Type.Optional(Type.String()),
    annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
  spec: Type.Object({
    nodeName: Type.Optional(Type.String()),
    containers: Type.Array(Type.Object({ ports: Type.Optional(Type.Array(portSchema)) })),
  }),
  status: Type.Optional(Type.Object({ phase: Type.Optional(Type.String()), podIP: Type.Optional(Type.String()) })),
});

/** A pod, as far as it is read. */
export type Pod = Static<typeof podSchema>;

/** How the exporters in pods are read. */
export interface PodTargetOptions {
  /** Number or name of the port. */
  readonly port: string;
  /** The cluster of the targets. */
  readonly clusterId: string;
}

/** The target in a pod. A pod that runs is one, ready or not: an exporter that does not answer is to be seen. Its host is its
 *  node. `prometheus.io/scheme` and `prometheus.io/path` are honoured.
 *  @returns undefined if the pod has no address yet, has ended or is being deleted; a sentence if something is wrong with it */
export function podTarget(pod: Pod, { port, clusterId }: PodTargetOptions): Target | string | undefined {
  const { metadata, spec, status } = pod;
  if (metadata.deletionTimestamp !== undefined || status?.phase !== "Running" || status.podIP === undefined) return;
  const number = /^\d+$/.test(port) ? port : portNamed(port, pod);
  const named = `the pod ${metadata.namespace}/${metadata.name}`;
  if (number === undefined) return `${named} has no port with the name ${port} (DCGM_POD_PORT)`;
  const address = `${status.podIP.includes(":") ? `[${status.podIP}]` : status.podIP}:${number}`;
  const target = readTarget({ address, labels: labelsOf(metadata.annotations ?? {}) }, clusterId);
  if (typeof target === "string") return `${named}: ${target}`;
  return spec.nodeName === undefined ? target : { ...target, host: spec.nodeName };
}

function portNamed(name: string, { spec }: Pod): number | undefined {
  const ports = spec.containers.flatMap((container) => container.ports ?? []);
  return ports.find((port) => port.name === name)?.containerPort;
}

function labelsOf(annotations: Readonly<Record<string, string>>): Record<string, string> {
  const { "prometheus.io/scheme": scheme, "prometheus.io/path": path } = annotations;
  return {
    ...(scheme === undefined ? {} : { __scheme__: scheme }),
    ...(path === undefined ? {} : { __metrics_path__: path }),
  };
}
