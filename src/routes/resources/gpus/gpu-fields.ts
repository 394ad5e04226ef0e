import { Type } from "@sinclair/typebox";
import { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import type { ApiGpu } from "../../fleet/fleet-index.ts";
import type { OperationContext } from "../../graphql-kit/operation-context.ts";
import { pageOf } from "../../http/list-page.ts";
import { gpuListQuery, noQuery, pathName } from "../../http/parameters.ts";
import { statusValues } from "../../schemas/activity.ts";
import { selectorFields, selectorOf } from "../../schemas/gpu-selector.ts";
import { toApiRecord } from "../../schemas/telemetry-record.ts";
import type { OutputTypes } from "../../graphql-kit/types/output-types.ts";
import { type Field, type FieldMaker, limitOf, type SizeOf } from "../../graphql-kit/field.ts";

const uuid = pathName("UUID of the GPU", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4");
const clusterId = pathName("The cluster", "local-cluster");
const hostname = pathName("The host", "mtv5-dgx1-hgpu-032");

const status = Type.Optional(
  Type.String({ pattern: `^(${statusValues.join("|")})$`, description: `One of ${statusValues.join(", ")}` }),
);
const gpuPageQuery = Type.Object({ ...gpuListQuery.properties, status });
const hostQuery = Type.Object(selectorFields);

type GpuPageQuery = (typeof gpuPageQuery)["static"];

/** The fleet: what is there now, all of it out of memory. */
export function fleetFields(types: OutputTypes, fields: FieldMaker): Record<string, Field> {
  return { ...gpuFields(types, fields), ...hostFields(types, fields), ...clusterFields(types, fields) };
}

function gpuFields(types: OutputTypes, fields: FieldMaker): Record<string, Field> {
  const gpuCount: SizeOf = (args, fleet) => Math.min(limitOf(args), fleet.gpus.length);
  return {
    gpus: fields.field({
      type: types.listOf("Gpu"),
      description: "GPUs that have reported telemetry, by hostname and index",
      takes: gpuPageQuery,
      size: gpuCount,
      resolve: (_, query, context) => gpuPage(query, context).gpus,
    }),
    gpuPage: fields.field({
      type: new GraphQLNonNull(gpuPageType(types)),
      description: "The same with how many there are, and where the next part begins",
      takes: gpuPageQuery,
      size: gpuCount,
      resolve: (_, query, context) => gpuPage(query, context),
    }),
    gpu: fields.field({
      type: types.of("Gpu"),
      description: "The GPU of this uuid; null where there is none",
      takes: Type.Object({ uuid }),
      resolve: (_, query, { fleet }) => fleet.gpu(query.uuid),
    }),
    latestTelemetry: fields.field({
      type: types.listOf("TelemetryRecord"),
      description: "The newest record of each GPU, by hostname and index",
      takes: gpuPageQuery,
      size: gpuCount,
      resolve: (_, query, context) => gpuPage(query, context).gpus.flatMap((gpu) => newestOf(gpu, context)),
    }),
  };
}

function hostFields(types: OutputTypes, fields: FieldMaker): Record<string, Field> {
  return {
    hosts: fields.field({
      type: types.listOf("Host"),
      description: "Hosts with a GPU that fits; their figures are those of all their GPUs",
      takes: hostQuery,
      size: (_, fleet) => fleet.hosts.length,
      resolve: (_, query, { fleet }) => {
        const selected = new Set(fleet.selected(selectorOf(query)).map((gpu) => fleet.host(gpu)));
        return fleet.hosts.filter((host) => selected.has(host));
      },
    }),
    host: fields.field({
      type: types.of("Host"),
      description: "The host of this name in the cluster; null where there is none",
      takes: Type.Object({ cluster_id: clusterId, hostname }),
      resolve: (_, query, { fleet }) => fleet.host(query),
    }),
  };
}

function clusterFields(types: OutputTypes, fields: FieldMaker): Record<string, Field> {
  return {
    clusters: fields.field({
      type: types.listOf("Cluster"),
      description: "Clusters with a GPU that has reported telemetry, by id",
      takes: noQuery,
      size: (_, fleet) => fleet.clusters.length,
      resolve: (_, __, { fleet }) => fleet.clusters,
    }),
    cluster: fields.field({
      type: types.of("Cluster"),
      description: "The cluster of this id; null where there is none",
      takes: Type.Object({ id: clusterId }),
      resolve: (_, query, { fleet }) => fleet.cluster(query.id),
    }),
  };
}

/** The newest record of a GPU, in the API's shape; none where the store remembers none. */
export function newestOf(gpu: ApiGpu, { fleet }: OperationContext): ReturnType<typeof toApiRecord>[] {
  const record = fleet.record(gpu.uuid);
  return record === undefined ? [] : [toApiRecord(record)];
}

interface GpuPage {
  readonly gpus: readonly ApiGpu[];
  readonly totalCount: number;
  readonly nextCursor: string | undefined;
}

function gpuPage(query: GpuPageQuery, { fleet }: OperationContext): GpuPage {
  const fitting = fleet.selected(selectorOf(query));
  const all = query.status === undefined ? fitting : fitting.filter((gpu) => gpu.status === query.status);
  const { elements, next } = pageOf(all, ({ hostname, id, uuid }) => [hostname, Number(id), uuid], query);
  return { gpus: elements, totalCount: all.length, nextCursor: next };
}

function gpuPageType(types: OutputTypes): GraphQLObjectType {
  return new GraphQLObjectType({
    name: "GpuPage",
    description: "A part of the list of GPUs",
    fields: {
      gpus: { type: types.listOf("Gpu"), extensions: { size: () => 1 } },
      totalCount: { type: new GraphQLNonNull(GraphQLInt), description: "GPUs that fit, of all parts" },
      nextCursor: { type: GraphQLString, description: "Give it as cursor; null at the end" },
    },
  });
}
