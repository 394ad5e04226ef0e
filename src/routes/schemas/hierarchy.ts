import { type Static, Type } from "@sinclair/typebox";
import type { StoredGpu } from "../../domain/query.ts";
import { isMigInstance } from "../../domain/mig-instance.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { statusOf, statusSchema } from "./activity.ts";
import { instant, wholeNumber } from "./envelope.ts";

/** The counts of GPUs, without their MIG instances. */
export const gpuCounts = {
  gpu_count: wholeNumber({
    minimum: 0,
    description: "GPUs that have reported, themselves or through their MIG instances; instances are not counted",
  }),
  active_gpu_count: wholeNumber({ minimum: 0, description: "GPUs whose status is active" }),
  silent_gpu_count: wholeNumber({ minimum: 0, description: "GPUs whose status is silent" }),
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
        status: "active",
        last_seen_at: "2025-07-18T20:42:37Z",
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
        status: "active",
        last_seen_at: "2025-07-18T20:42:37Z",
      },
    ],
  },
);

/** Instant of the newest record of each cluster, milliseconds since the epoch.
 *  @param gpus all GPUs of the clusters */
export function newestByCluster(gpus: readonly StoredGpu[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const { clusterId, lastSeenAtMs } of gpus) {
    newest.set(clusterId, Math.max(newest.get(clusterId) ?? -Infinity, lastSeenAtMs));
  }
  return newest;
}

/** The hosts of the GPUs, in the order of their first GPUs.
 *  @param newestAtMs instant of the newest record, by cluster */
export function toApiHosts(
  gpus: readonly StoredGpu[],
  newestAtMs: ReadonlyMap<string, number>,
): Static<typeof hostSchema>[] {
  const hosts = Map.groupBy(gpus, ({ clusterId, hostname }) => JSON.stringify([clusterId, hostname]));
  return [...hosts.values()].flatMap((ofHost) => {
    const [first] = ofHost;
    if (first === undefined) return [];
    const figures = figuresOf(ofHost, newestAtMs.get(first.clusterId) ?? NaN);
    return [{ hostname: first.hostname, cluster_id: first.clusterId, ...figures }];
  });
}

/** The clusters of the GPUs, ordered by id.
 *  @param gpus all GPUs of the clusters */
export function toApiClusters(gpus: readonly StoredGpu[]): Static<typeof clusterSchema>[] {
  const newestAtMs = newestByCluster(gpus);
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
function figuresOf(devices: readonly StoredGpu[], newestAtMs: number) {
  const counts = { gpus: 0, activeGpus: 0, instances: 0, activeInstances: 0 };
  let lastSeenMs = -Infinity;
  for (const { uuid, lastSeenAtMs } of devices) {
    const active = statusOf(lastSeenAtMs, newestAtMs) === "active" ? 1 : 0;
    lastSeenMs = Math.max(lastSeenMs, lastSeenAtMs);
    if (!isMigInstance(uuid)) {
      counts.gpus += 1;
      counts.activeGpus += active;
    } else {
      counts.instances += 1;
      counts.activeInstances += active;
    }
  }
  const { gpus, activeGpus, instances, activeInstances } = counts;
  return {
    gpu_count: gpus,
    active_gpu_count: activeGpus,
    silent_gpu_count: gpus - activeGpus,
    status: activeGpus + activeInstances > 0 ? ("active" as const) : ("silent" as const),
    last_seen_at: formatTimestamp(lastSeenMs),
    ...(instances === 0 ? {} : { mig_instances: instances, active_mig_instances: activeInstances }),
  };
}
