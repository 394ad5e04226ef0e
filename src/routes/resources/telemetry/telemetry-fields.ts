import { type Static, Type } from "@sinclair/typebox";
import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import { metrics } from "../../../domain/metrics.ts";
import { resolutions } from "../../../domain/query.ts";
import { aggregateFilterOf } from "./aggregate-routes.ts";
import {
  aggregateQuery,
  changesQuery,
  fleetHistoryQuery,
  noQuery,
  pathName,
  quarantineQuery,
  rangeOf,
} from "../../http/parameters.ts";
import { toApiAggregate } from "./aggregate.ts";
import { wholeNumber } from "../../schemas/envelope.ts";
import { toApiGpuChanges } from "../gpus/gpu-changes.ts";
import { toApiMetric } from "../catalogue/metric.ts";
import { toApiRejection } from "../quarantine/rejection.ts";
import type { OperationContext } from "../../graphql-kit/operation-context.ts";
import type { EnumTypes } from "../../graphql-kit/types/enums.ts";
import type { OutputTypes } from "../../graphql-kit/types/output-types.ts";
import { type Field, type FieldMaker, limitOf } from "../../graphql-kit/field.ts";

const uuid = pathName("UUID of the GPU", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4");
// which metrics come is said by the fields that are selected
const telemetryQuery = Type.Omit(fleetHistoryQuery, ["metrics"]);
const gpuChangesQuery = Type.Object({ uuid, ...changesQuery.properties });
const rowsDefault = 1000;
const sumsQuery = Type.Object({
  ...aggregateQuery.properties,
  limit: Type.Optional(
    wholeNumber({
      minimum: 1,
      maximum: 10_000,
      default: rowsDefault,
      description: `Rows that may come; more are an error. 1 to 10000, default ${rowsDefault}`,
    }),
  ),
});

/** What was measured, and what came in. */
export function historyFields(types: OutputTypes, fields: FieldMaker, enums: EnumTypes): Record<string, Field> {
  return {
    telemetry: fields.field({
      type: new GraphQLNonNull(pageType(types, enums)),
      description: "Records of GPUs that fit; where there are more than limit, the newest ones of them",
      takes: telemetryQuery,
      size: limitOf,
      resolve: (_, query, context) => telemetryPage(query, context),
    }),
    aggregates: fields.field({
      type: new GraphQLNonNull(sumsType(types, enums)),
      description: "Telemetry summed up by minute or hour and by GPU, host, cluster, model or namespace",
      takes: sumsQuery,
      size: limitOf,
      resolve: async (_, query, { beyond }) => {
        const filter = aggregateFilterOf(query, beyond.clock.nowMs());
        return { rows: (await beyond.queries.aggregates(filter)).map(toApiAggregate), resolution: filter.resolution };
      },
    }),
    gpuChanges: fields.field({
      type: types.of("GpuChanges"),
      description: "Where a GPU was over time, and what held it; null where nothing is known of it",
      takes: gpuChangesQuery,
      resolve: (_, query, context) => changesOf(query, context),
    }),
    ...inputFields(types, fields),
  };
}

function inputFields(types: OutputTypes, fields: FieldMaker): Record<string, Field> {
  return {
    metrics: fields.field({
      type: types.listOf("Metric"),
      description: "The metrics catalogue: every metric that a record may carry",
      takes: noQuery,
      size: () => metrics.length,
      resolve: () => metrics.map(toApiMetric),
    }),
    quarantine: fields.field({
      type: types.listOf("Rejection"),
      description: "Inputs that could not be used, the newest first",
      takes: quarantineQuery,
      size: limitOf,
      resolve: async (_, { source_id, limit = 100 }, { beyond }) => {
        const filter = source_id === undefined ? { limit } : { sourceId: source_id, limit };
        return (await beyond.queries.rejections(filter)).map(toApiRejection);
      },
    }),
  };
}

function telemetryPage(query: Static<typeof telemetryQuery>, { beyond }: OperationContext) {
  return beyond.history.page({}, query);
}

async function changesOf(query: Static<typeof gpuChangesQuery>, { beyond }: OperationContext) {
  const changes = await beyond.queries.changes({ uuid: query.uuid, range: rangeOf(query).range });
  return changes.attributes.length === 0 ? null : toApiGpuChanges(query.uuid, changes);
}

function pageType(types: OutputTypes, enums: EnumTypes): GraphQLObjectType {
  return new GraphQLObjectType<Awaited<ReturnType<OperationContext["beyond"]["history"]["page"]>>>({
    name: "TelemetryPage",
    description: "A part of the history",
    fields: {
      records: { type: types.listOf("TelemetryRecord"), extensions: { size: () => 1 }, resolve: ({ data }) => data },
      resolution: { type: new GraphQLNonNull(enums.of(resolutions, "Resolution")) },
      nextCursor: {
        type: GraphQLString,
        description: "Give it as cursor for the older ones; null at the end",
        resolve: ({ next_cursor }) => next_cursor,
      },
    },
  });
}

function sumsType(types: OutputTypes, enums: EnumTypes): GraphQLObjectType {
  return new GraphQLObjectType({
    name: "Aggregates",
    description: "Telemetry summed up",
    fields: {
      rows: { type: types.listOf("Aggregate"), extensions: { size: () => 1 } },
      resolution: { type: new GraphQLNonNull(enums.of(resolutions, "Resolution")) },
    },
  });
}
