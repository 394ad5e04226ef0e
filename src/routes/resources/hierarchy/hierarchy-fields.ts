import { inState } from "../../fleet/fleet-states.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { gpuSelection, nameOf, noQuery, stateParameter } from "../../http/parameters/common.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";
import { clusterSchema, hostSchema } from "../../schemas/hierarchy.ts";

const clusterId = nameOf("Id of the cluster", "local-cluster");
const hostname = nameOf("Name of the host", "mtv5-dgx1-hgpu-032");

/** The queries for hosts and clusters, answered from memory. */
export function hierarchyFields(kit: SchemaKit): FieldMap {
  return { ...hostFields(kit), ...clusterFields(kit) };
}

function hostFields({ types, field }: SchemaKit): FieldMap {
  return {
    hosts: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(hostSchema),
      description: "Hosts with a selected GPU; a host's counts cover all its GPUs",
      takes: { ...gpuSelection, state: stateParameter },
      size: (_, fleet) => fleet.hosts.length,
      resolve: (_, query, { fleet }) => {
        const selected = new Set(fleet.selected(selectorOf(query)).map((gpu) => fleet.host(gpu)));
        return inState(fleet.hosts, query.state).filter((host) => selected.has(host));
      },
    }),
    host: field({
      scope: "read",
      selectors: "narrowed",
      type: types.of(hostSchema),
      description: "The host with this name in the cluster; null if it does not exist",
      takes: { cluster_id: clusterId, hostname },
      resolve: (_, query, { fleet }) => fleet.found(fleet.host(query)),
    }),
  };
}

function clusterFields({ types, field }: SchemaKit): FieldMap {
  return {
    clusters: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(clusterSchema),
      description: "Clusters with a GPU that has reported telemetry, ordered by id",
      takes: noQuery,
      size: (_, fleet) => fleet.clusters.length,
      resolve: (_, __, { fleet }) => fleet.clusters,
    }),
    cluster: field({
      scope: "read",
      selectors: "narrowed",
      type: types.of(clusterSchema),
      description: "The cluster with this id; null if it does not exist",
      takes: { id: clusterId },
      resolve: (_, query, { fleet }) => fleet.found(fleet.cluster(query.id)),
    }),
  };
}
