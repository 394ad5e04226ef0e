import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import { resolutions } from "../../../domain/query.ts";
import type { ApiGpu } from "../../fleet/fleet-index.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import type { OperationContext } from "../../graphql-kit/operation-context.ts";
import { fleetHistoryQuery } from "../../answers/history-request.ts";
import { dateTime } from "../../graphql-kit/types/scalars.ts";
import { limitMax } from "../../http/parameters/common.ts";
import { type ValuesOf, without } from "../../http/parameters/parameter.ts";
import { windowFields } from "../../schemas/envelope.ts";
import { telemetryRecordSchema, toApiRecord } from "../../schemas/telemetry-record.ts";
import { gpuPage, gpuPageQuery, gpusOfPage } from "../gpus/gpu-page.ts";
import { aggregateSchema, toApiAggregate } from "./aggregate.ts";
import { aggregateFilterOf, aggregateLimit, aggregateQuery, aggregateWindow } from "./aggregate-query.ts";

// without metrics, because the selected fields determine them
const telemetryQuery = without(fleetHistoryQuery, "metrics");
const aggregatesQuery = { ...aggregateQuery, limit: aggregateLimit({ maximum: limitMax, byDefault: 1000 }) };

/** The queries for telemetry: the newest record of each GPU, the history, and aggregates. */
export function telemetryFields({ types, enums, field }: SchemaKit): FieldMap {
  return {
    latestTelemetry: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(telemetryRecordSchema),
      description: "The newest record of each selected GPU, ordered by hostname and index",
      takes: gpuPageQuery,
      size: gpusOfPage,
      resolve: (_, query, context) => gpuPage(query, context).gpus.flatMap((gpu) => newestOf(gpu, context)),
    }),
    telemetry: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(pageType({ types, enums })),
      description: "Records of the selected GPUs; if there are more than limit, only the newest",
      takes: telemetryQuery,
      size: limitOf,
      asksStore: true,
      resolve: (_, query, context) => telemetryPage(query, context),
    }),
    aggregates: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(aggregatesType({ types, enums })),
      description: "Telemetry aggregated by minute, hour or day and by GPU, host, cluster, model or namespace",
      takes: aggregatesQuery,
      bySelection: { expected: ["rows", "expected"] },
      size: limitOf,
      asksStore: true,
      resolve: async (_, query, { allParts }) => {
        const filter = aggregateFilterOf(query, allParts.clock.nowMs());
        const rows = await allParts.queries.aggregates.byGroup(filter);
        const { start_time: startTime, end_time: endTime, notice } = aggregateWindow(filter, rows, allParts.fleet);
        return { rows: rows.map(toApiAggregate), resolution: filter.resolution, startTime, endTime, notice };
      },
    }),
  };
}

/** A list with only the newest record of a GPU, in the API's shape; empty if the fleet has no record of the GPU. */
export function newestOf(gpu: ApiGpu, { fleet }: OperationContext): ReturnType<typeof toApiRecord>[] {
  const record = fleet.record(gpu.uuid);
  return record === undefined ? [] : [toApiRecord(record)];
}

function telemetryPage(query: ValuesOf<typeof telemetryQuery>, { allParts }: OperationContext) {
  return allParts.history.page({}, query);
}

function pageType({ types, enums }: Pick<SchemaKit, "types" | "enums">): GraphQLObjectType {
  return new GraphQLObjectType<Awaited<ReturnType<OperationContext["allParts"]["history"]["page"]>>>({
    name: "TelemetryPage",
    description: "A part of the history",
    fields: {
      records: {
        type: types.listOf(telemetryRecordSchema),
        extensions: { size: () => 1 },
        resolve: ({ data }) => data,
      },
      resolution: { type: new GraphQLNonNull(enums.of(resolutions, "Resolution")) },
      nextCursor: {
        type: GraphQLString,
        description: "The cursor of the next older part; null at the end",
        resolve: ({ next_cursor }) => next_cursor,
      },
    },
  });
}

function aggregatesType({ types, enums }: Pick<SchemaKit, "types" | "enums">): GraphQLObjectType {
  return new GraphQLObjectType({
    name: "Aggregates",
    description: "Aggregated telemetry",
    fields: {
      rows: { type: types.listOf(aggregateSchema), extensions: { size: () => 1 } },
      resolution: { type: new GraphQLNonNull(enums.of(resolutions, "Resolution")) },
      startTime: { type: new GraphQLNonNull(dateTime), description: windowFields.start_time.description },
      endTime: { type: new GraphQLNonNull(dateTime), description: windowFields.end_time.description },
      notice: { type: GraphQLString, description: "Why there are no rows, and what to do; null if there are any" },
    },
  });
}
