import type { ClusterState, DeviceState, EvaluatorState, HostState, TimeState } from "./state.ts";

/** Names what the evaluator remembers of one device, host or cluster, or of the time. */
export interface PartName {
  readonly kind: "device" | "host" | "cluster" | "time";
  /** The uuid of a device, a JSON list of cluster and host, the id of a cluster; empty for the time. */
  readonly place: string;
}

/** A part of what the evaluator remembers. */
export interface SavedPart extends PartName {
  /** JSON; null: it is forgotten. */
  readonly state: string | null;
}

/** The name of a host's part. */
export function hostPart({ clusterId, hostname }: Pick<HostState, "clusterId" | "hostname">): PartName {
  return { kind: "host", place: JSON.stringify([clusterId, hostname]) };
}

/** The name of the part about the time. */
export const timePart: PartName = { kind: "time", place: "" };

/** The state that parts make up. Hosts and clusters without a part are as new. */
export function stateOfParts(parts: readonly SavedPart[]): EvaluatorState {
  const of = (kind: PartName["kind"]): unknown[] =>
    parts.flatMap((part) => (part.kind === kind && part.state !== null ? [JSON.parse(part.state) as unknown] : []));
  const [time] = of("time") as TimeState[];
  return {
    devices: of("device") as DeviceState[],
    hosts: of("host") as HostState[],
    clusters: of("cluster") as ClusterState[],
    time: time ?? { nowMs: 0, tickingSinceMs: 0, spans: [] },
  };
}
