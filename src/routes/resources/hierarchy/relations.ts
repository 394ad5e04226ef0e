import type { GraphQLFieldConfigMap } from "graphql";
import { GraphQLNonNull } from "graphql";
import { clusterStats } from "./cluster-stats.ts";
import { historyQuery, noQuery, rangeOf } from "../../http/parameters.ts";
import { Type } from "@sinclair/typebox";
import type { ApiCluster, ApiGpu, ApiHost, FleetIndex } from "../../fleet/fleet-index.ts";
import type { GraphqlContext } from "../../graphql-kit/operation-context.ts";
import type { OutputTypes } from "../../graphql-kit/types/output-types.ts";
import { type FieldMaker, limitOf } from "../../graphql-kit/field.ts";
import { newestOf } from "../gpus/gpu-fields.ts";

type Fields = GraphQLFieldConfigMap<unknown, GraphqlContext>;

// which metrics come is said by the fields that are selected; older parts are those of Query.telemetry
const telemetryOfGpu = Type.Omit(historyQuery, ["metrics", "cursor"]);

/** Figures of a cluster are counted by the store: as dear as many values. */
const statsSize = 1000;

/** The ways through the hierarchy, by the type that they begin at. */
export function relationsOf(fields: FieldMaker): Readonly<Record<string, (types: OutputTypes) => Fields>> {
  return {
    Cluster: (types) => ofCluster(types, fields),
    Host: (types) => ofHost(types, fields),
    Gpu: (types) => ({ ...ofGpu(types, fields), ...historyOfGpu(types, fields) }),
    TelemetryRecord: (types) => ({
      gpu: fields.field({
        type: types.of("Gpu"),
        description: "The GPU as it is now",
        takes: noQuery,
        resolve: ({ uuid }: ApiGpu, _, { fleet }) => fleet.gpu(uuid),
      }),
    }),
  };
}

function ofCluster(types: OutputTypes, fields: FieldMaker): Fields {
  return {
    hosts: fields.field({
      type: types.listOf("Host"),
      description: "Its hosts, by hostname",
      takes: noQuery,
      size: (_, { hosts, clusters }) => share(hosts, clusters),
      resolve: ({ id }: ApiCluster, _, { fleet }) => fleet.hostsOf(id),
    }),
    gpus: fields.field({
      type: types.listOf("Gpu"),
      description: "Its GPUs, by hostname and index",
      takes: noQuery,
      size: (_, { gpus, clusters }) => share(gpus, clusters),
      resolve: ({ id }: ApiCluster, _, { fleet }) => fleet.hostsOf(id).flatMap((host) => fleet.gpusOf(host)),
    }),
    stats: fields.field({
      type: types.of("ClusterStats"),
      description: "Figures of the cluster",
      takes: noQuery,
      size: () => statsSize,
      resolve: ({ id }: ApiCluster, _, { beyond }) => clusterStats(beyond, beyond.fleet.gpus({ clusterId: id })),
    }),
  };
}

function ofHost(types: OutputTypes, fields: FieldMaker): Fields {
  return {
    cluster: fields.field({
      type: new GraphQLNonNull(types.of("Cluster")),
      description: "The cluster that it belongs to",
      takes: noQuery,
      resolve: ({ cluster_id }: ApiHost, _, { fleet }) => fleet.cluster(cluster_id),
    }),
    gpus: fields.field({
      type: types.listOf("Gpu"),
      description: "Its GPUs, by index",
      takes: noQuery,
      size: (_, { gpus, hosts }) => share(gpus, hosts),
      resolve: (host: ApiHost, _, { fleet }) => fleet.gpusOf(host),
    }),
  };
}

function ofGpu(types: OutputTypes, fields: FieldMaker): Fields {
  return {
    host: fields.field({
      type: new GraphQLNonNull(types.of("Host")),
      description: "The host that it is in",
      takes: noQuery,
      resolve: (gpu: ApiGpu, _, { fleet }) => fleet.host(gpu),
    }),
    latest: fields.field({
      type: types.of("TelemetryRecord"),
      description: "Its newest record, out of memory",
      takes: noQuery,
      resolve: (gpu: ApiGpu, _, context) => newestOf(gpu, context)[0],
    }),
  };
}

function historyOfGpu(types: OutputTypes, fields: FieldMaker): Fields {
  return {
    telemetry: fields.field({
      type: types.listOf("TelemetryRecord"),
      description:
        "Its records in the range; where there are more than limit, the newest ones of them. Query.telemetry leads to the " +
        "older ones",
      takes: telemetryOfGpu,
      size: limitOf,
      resolve: async ({ uuid }: ApiGpu, query, { telemetry, beyond }) => {
        const { range, limit } = rangeOf(query);
        const resolution = beyond.history.resolutionOf(query.resolution ?? "raw", range);
        const records = await telemetry.of(uuid, { range, limit, resolution });
        return query.order === "desc" ? records.toReversed() : records;
      },
    }),
  };
}

/** How many each of the upper ones has on average: the product along the hierarchy is what there is. */
function share(lower: FleetIndex["gpus" | "hosts"], upper: FleetIndex["hosts" | "clusters"]): number {
  return lower.length / Math.max(1, upper.length);
}
