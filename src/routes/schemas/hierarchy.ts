import { type Static, Type } from "@sinclair/typebox";
import type { StoredGpu } from "../../domain/query.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { statusOf, statusSchema } from "./activity.ts";
import { instant, wholeNumber } from "./envelope.ts";

const gpuCounts = {
  gpu_count: wholeNumber({ minimum: 0, description: "GPUs that have reported" }),
  active_gpu_count: wholeNumber({ minimum: 0, description: "GPUs whose status is active" }),
  silent_gpu_count: wholeNumber({ minimum: 0, description: "GPUs whose status is silent" }),
};

/** A host as the API shows it. */
export const hostSchema = Type.Object(
  {
    hostname: Type.String({ description: "Name of the host, and its id in paths" }),
    cluster_id: Type.String({ description: "Cluster that the host belongs to" }),
    ...gpuCounts,
    status: statusSchema,
    last_seen_at: instant("When the newest record of its GPUs was measured"),
  },
  {
    $id: "Host",
    additionalProperties: false,
    description: "A host with GPUs; active if at least one of them is active",
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

/** The fields that hosts and clusters have in common. */
function figuresOf(gpus: readonly StoredGpu[], newestAtMs: number) {
  const active = gpus.filter(({ lastSeenAtMs }) => statusOf(lastSeenAtMs, newestAtMs) === "active").length;
  const lastSeenAtMs = gpus.reduce((latest, gpu) => Math.max(latest, gpu.lastSeenAtMs), -Infinity);
  return {
    gpu_count: gpus.length,
    active_gpu_count: active,
    silent_gpu_count: gpus.length - active,
    status: active > 0 ? ("active" as const) : ("silent" as const),
    last_seen_at: formatTimestamp(lastSeenAtMs),
  };
}
