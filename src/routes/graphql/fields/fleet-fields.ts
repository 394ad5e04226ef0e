import { Type } from "@sinclair/typebox";
import { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import { badInput } from "../faults.ts";
import type { ApiGpu } from "../fleet-index.ts";
import type { OperationContext } from "../operation-context.ts";
import { noQuery, pathName } from "../../parameters.ts";
import { statusValues } from "../../schemas/activity.ts";
import { wholeNumber } from "../../schemas/envelope.ts";
import { toApiRecord } from "../../schemas/telemetry-record.ts";
import type { OutputTypes } from "../types/output-types.ts";
import { type Field, type FieldMaker, limitOf, type SizeOf } from "./field.ts";

const uuid = pathName("UUID of the GPU", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4");
const clusterId = pathName("The cluster", "local-cluster");
const hostname = pathName("The host", "mtv5-dgx1-hgpu-032");

const placeFilter = {
  cluster_id: Type.Optional(pathName("Only of this cluster", "local-cluster")),
  hostname: Type.Optional(pathName("Only of this host", "mtv5-dgx1-hgpu-032")),
};

const gpuFilter = {
  ...placeFilter,
  name: Type.Optional(pathName("Only of this model", "NVIDIA H100 80GB HBM3")),
  namespace: Type.Optional(pathName("Only where the newest record names this namespace", "ml")),
  status: Type.Optional(
    Type.String({ pattern: `^(${statusValues.join("|")})$`, description: `One of ${statusValues.join(", ")}` }),
  ),
};

const gpuPageQuery = Type.Object({
  ...gpuFilter,
  limit: Type.Optional(wholeNumber({ minimum: 1, maximum: 10_000, description: "At most this many; default all" })),
  after: Type.Optional(
    pathName("UUID of the GPU that the part before ended with; what comes after it", "GPU-75ca836f"),
  ),
});

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
      description: "Hosts with a GPU that has reported telemetry",
      takes: Type.Object(placeFilter),
      size: (_, fleet) => fleet.hosts.length,
      resolve: (_, query, { fleet }) => fleet.hosts.filter((host) => isAt(host, query)),
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

/** @throws GraphQLError where the part before ended with a GPU that is not there */
function gpuPage(query: GpuPageQuery, { fleet }: OperationContext): GpuPage {
  const { name, namespace, status, limit = Infinity, after } = query;
  const all = fleet.gpus.filter(
    (gpu) =>
      isAt(gpu, query) &&
      (name === undefined || gpu.name === name) &&
      (status === undefined || gpu.status === status) &&
      (namespace === undefined || fleet.record(gpu.uuid)?.namespace === namespace),
  );
  const begin = after === undefined ? 0 : all.findIndex((gpu) => gpu.uuid === after) + 1;
  if (after !== undefined && begin === 0) {
    throw badInput(`after=${JSON.stringify(after)} is not usable; expected the uuid of a GPU that the filter fits`);
  }
  const gpus = all.slice(begin, begin + limit);
  const nextCursor = begin + gpus.length < all.length ? gpus.at(-1)?.uuid : undefined;
  return { gpus, totalCount: all.length, nextCursor };
}

function gpuPageType(types: OutputTypes): GraphQLObjectType {
  return new GraphQLObjectType({
    name: "GpuPage",
    description: "A part of the list of GPUs",
    fields: {
      gpus: { type: types.listOf("Gpu"), extensions: { size: () => 1 } },
      totalCount: { type: new GraphQLNonNull(GraphQLInt), description: "GPUs that fit, of all parts" },
      nextCursor: { type: GraphQLString, description: "Give it as after; null at the end" },
    },
  });
}

function isAt(
  place: { readonly cluster_id: string; readonly hostname: string },
  filter: { readonly cluster_id?: string; readonly hostname?: string },
): boolean {
  return (
    (filter.cluster_id === undefined || place.cluster_id === filter.cluster_id) &&
    (filter.hostname === undefined || place.hostname === filter.hostname)
  );
}
