import { type Static, Type } from "@sinclair/typebox";
import type { InventoryState } from "../../domain/inventory.ts";
import { isMigInstance } from "../../domain/mig-instance.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { stateSchema, statusOf, statusSchema } from "./activity.ts";
import { instant, wholeNumber } from "./envelope.ts";
import type { FleetGpu } from "./gpu.ts";

/** The counts of GPUs, without their MIG instances. */
export const gpuCounts = {
  gpu_count: wholeNumber({
    minimum: 0,
    description: "GPUs that have reported, themselves or through their MIG instances; instances are not counted",
  }),
  active_gpu_count: wholeNumber({
    minimum: 0,
    description: "GPUs whose status is active, without those that are decommissioned",
  }),
  silent_gpu_count: wholeNumber({
    minimum: 0,
    description: "GPUs whose status is silent, without those that are decommissioned",
  }),
  decommissioned_gpu_count: wholeNumber({ minimum: 0, description: "GPUs whose state is decommissioned" }),
};

/** The counts of MIG instances. */
export const migCounts = {
  mig_instances: Type.Optional(
    wholeNumber({
      minimum: 1,
      description: "MIG instances that have reported, those since deleted included; absent if none",
    }),
  ),
  active_mig_instances: Type.Optional(
    wholeNumber({ minimum: 0, description: "MIG instances whose status is active; absent if mig_instances is" }),
  ),
};

/** A host as the API shows it. */
export const hostSchema = Type.Object(
  {
    hostname: Type.String({ description: "Name of the host, and its id in paths" }),
    cluster_id: Type.String({ description: "Cluster that the host belongs to" }),
    ...gpuCounts,
    status: statusSchema,
    last_seen_at: instant("When the newest record of its GPUs was measured"),
    ...migCounts,
    state: stateSchema,
  },
  {
    $id: "Host",
    additionalProperties: false,
    description: "A host with GPUs; active if at least one of them, or of their MIG instances, is active",
    examples: [
      {
        hostname: "mtv5-dgx1-hgpu-032",
        cluster_id: "local-cluster",
        gpu_count: 8,
        active_gpu_count: 8,
        silent_gpu_count: 0,
        decommissioned_gpu_count: 0,
        status: "active",
        last_seen_at: "2025-07-18T20:42:37Z",
        state: "active",
      },
    ],
  },
);

/** A cluster as the API shows it. */
export const clusterSchema = Type.Object(
  {
    id: Type.String({ description: "CLUSTER_ID of the streamer that read its telemetry" }),
    name: Type.String({ description: "The same as id" }),
    host_count: wholeNumber({ minimum: 0, description: "Hosts with GPUs that have reported" }),
    ...gpuCounts,
    status: statusSchema,
    last_seen_at: instant("When the newest record of its GPUs was measured"),
    ...migCounts,
  },
  {
    $id: "Cluster",
    additionalProperties: false,
    description: "A cluster that has reported telemetry",
    examples: [
      {
        id: "local-cluster",
        name: "local-cluster",
        host_count: 31,
        gpu_count: 247,
        active_gpu_count: 247,
        silent_gpu_count: 0,
        decommissioned_gpu_count: 0,
        status: "active",
        last_seen_at: "2025-07-18T20:42:37Z",
      },
    ],
  },
);

/** Identifies a host: several clusters may have a host of the same name. */
export function hostKey(clusterId: string, hostname: string): string {
  return JSON.stringify([clusterId, hostname]);
}

/** Until when each cluster has reported, milliseconds since the epoch; at most the present, so that one host whose clock is ahead does not
 *  make all others silent. The present, if no GPU of a cluster is known to have reported.
 *  @param gpus all GPUs of the clusters */
export function newestByCluster(gpus: readonly FleetGpu[], nowMs: number): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const { clusterId, reportedAtMs } of gpus) {
    newest.set(clusterId, Math.max(newest.get(clusterId) ?? -Infinity, Math.min(reportedAtMs, nowMs)));
  }
  return new Map(Array.from(newest, ([clusterId, atMs]) => [clusterId, atMs === -Infinity ? nowMs : atMs]));
}

/** The hosts of the GPUs, in the order of their first GPUs.
 *  @param newestAtMs as of `newestByCluster`
 *  @param states those of hosts that are not active, by `hostKey`; undefined until the inventory has been read */
export function toApiHosts(
  gpus: readonly FleetGpu[],
  newestAtMs: ReadonlyMap<string, number>,
  states: ReadonlyMap<string, InventoryState> | undefined,
): Static<typeof hostSchema>[] {
  const hosts = Map.groupBy(gpus, ({ clusterId, hostname }) => hostKey(clusterId, hostname));
  return [...hosts].flatMap(([key, ofHost]) => {
    const [first] = ofHost;
    if (first === undefined) return [];
    const figures = figuresOf(ofHost, newestAtMs.get(first.clusterId) ?? NaN);
    const state = states === undefined ? {} : { state: states.get(key) ?? ("active" as const) };
    return [{ hostname: first.hostname, cluster_id: first.clusterId, ...figures, ...state }];
  });
}

/** The clusters of the GPUs, ordered by id.
 *  @param gpus all GPUs of the clusters
 *  @param newestAtMs as of `newestByCluster` */
export function toApiClusters(
  gpus: readonly FleetGpu[],
  newestAtMs: ReadonlyMap<string, number>,
): Static<typeof clusterSchema>[] {
  const clusters = [...Map.groupBy(gpus, ({ clusterId }) => clusterId)];
  return clusters
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, ofCluster]) => ({
      id,
      name: id,
      host_count: new Set(ofCluster.map(({ hostname }) => hostname)).size,
      ...figuresOf(ofCluster, newestAtMs.get(id) ?? NaN),
    }));
}

/** The fields that hosts and clusters have in common.
 *  @param devices GPUs and MIG instances */
function figuresOf(devices: readonly FleetGpu[], newestAtMs: number) {
  const counts = { gpus: 0, activeGpus: 0, goneGpus: 0, instances: 0, activeInstances: 0 };
  let isAnyActive = false;
  let lastSeenMs = -Infinity;
  for (const { uuid, lastSeenAtMs, reportedAtMs, state } of devices) {
    const active = statusOf(reportedAtMs, newestAtMs) === "active" ? 1 : 0;
    const gone = state === "decommissioned" ? 1 : 0;
    isAnyActive ||= active === 1;
    lastSeenMs = Math.max(lastSeenMs, lastSeenAtMs);
    if (!isMigInstance(uuid)) {
      counts.gpus += 1;
      counts.activeGpus += gone === 1 ? 0 : active;
      counts.goneGpus += gone;
    } else {
      counts.instances += 1;
      counts.activeInstances += active;
    }
  }
  const { gpus, activeGpus, goneGpus, instances, activeInstances } = counts;
  return {
    gpu_count: gpus,
    active_gpu_count: activeGpus,
    silent_gpu_count: gpus - activeGpus - goneGpus,
    decommissioned_gpu_count: goneGpus,
    status: isAnyActive ? ("active" as const) : ("silent" as const),
    last_seen_at: formatTimestamp(lastSeenMs),
    ...(instances === 0 ? {} : { mig_instances: instances, active_mig_instances: activeInstances }),
  };
}
