import { GraphQLNonNull } from "graphql";
import type { ApiCluster, ApiGpu, ApiHost, FleetIndex } from "../../fleet/fleet-index.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { noQuery } from "../../http/parameters/common.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import { clusterSchema, hostSchema } from "../../schemas/hierarchy.ts";
import { clusterStats } from "./cluster-stats.ts";
import { clusterStatsSchema } from "./cluster-stats-schema.ts";

/** In the size of an operation, a cluster's statistics count as this many elements, because they query the store. */
const statsSize = 1000;

/** Fields that lead from a type of the hierarchy to another type, by the name of the type that has the fields. */
export function hierarchyRelations(kit: SchemaKit): Readonly<Record<string, FieldMap>> {
  return { Cluster: ofCluster(kit), Host: ofHost(kit), Gpu: ofGpu(kit) };
}

function ofCluster({ types, field }: SchemaKit): FieldMap {
  return {
    hosts: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(hostSchema),
      description: "The cluster's hosts, ordered by hostname",
      takes: noQuery,
      size: (_, { hosts, clusters }) => share(hosts, clusters),
      resolve: ({ id }: ApiCluster, _, { fleet }) => fleet.hostsOf(id),
    }),
    gpus: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(gpuSchema),
      description: "The cluster's GPUs, ordered by hostname and index, each followed by its MIG instances",
      takes: noQuery,
      size: (_, { gpus, clusters }) => share(gpus, clusters),
      resolve: ({ id }: ApiCluster, _, { fleet }) => fleet.hostsOf(id).flatMap((host) => fleet.gpusOf(host)),
    }),
    stats: field({
      scope: "read",
      selectors: "narrowed",
      type: types.of(clusterStatsSchema),
      description: "Statistics of the cluster",
      takes: noQuery,
      size: () => statsSize,
      asksStore: true,
      resolve: ({ id }: ApiCluster, _, { allParts }) => clusterStats(allParts, allParts.fleet.gpus({ clusterId: id })),
    }),
  };
}

function ofHost({ types, field }: SchemaKit): FieldMap {
  return {
    cluster: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(types.of(clusterSchema)),
      description: "The cluster that the host belongs to",
      takes: noQuery,
      resolve: ({ cluster_id }: ApiHost, _, { fleet }) => fleet.cluster(cluster_id),
    }),
    gpus: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(gpuSchema),
      description: "The host's GPUs, ordered by index, each followed by its MIG instances",
      takes: noQuery,
      size: (_, { gpus, hosts }) => share(gpus, hosts),
      resolve: (host: ApiHost, _, { fleet }) => fleet.gpusOf(host),
    }),
  };
}

function ofGpu({ types, field }: SchemaKit): FieldMap {
  return {
    host: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(types.of(hostSchema)),
      description: "The host that the GPU is in",
      takes: noQuery,
      resolve: (gpu: ApiGpu, _, { fleet }) => fleet.host(gpu),
    }),
    parent: field({
      scope: "read",
      selectors: "narrowed",
      type: types.of(gpuSchema),
      description:
        "The GPU that the MIG instance is a part of; null for a GPU, and if the input does not name the instance's GPU",
      takes: noQuery,
      resolve: ({ parent_uuid }: ApiGpu, _, { fleet }) => parent_uuid && fleet.gpu(parent_uuid),
    }),
    instances: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(gpuSchema),
      description: "The GPU's MIG instances, those since deleted included",
      takes: noQuery,
      size: (_, { gpus }) => gpus.filter((gpu) => gpu.parent_uuid !== undefined).length / Math.max(1, gpus.length),
      resolve: ({ uuid }: ApiGpu, _, { fleet }) => fleet.instancesOf(uuid),
    }),
  };
}

/** The average number of lower elements per upper element, so that nested sizes multiply to the true total. */
function share(lower: FleetIndex["gpus" | "hosts"], upper: FleetIndex["hosts" | "clusters"]): number {
  return lower.length / Math.max(1, upper.length);
}
