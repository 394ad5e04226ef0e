import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import type { TObject } from "@sinclair/typebox";
import { dateTime } from "../../graphql-kit/types/scalars.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { heldSpanSchema, toApiHeldSpan } from "./held-span.ts";
import { holdersQuery, holdersRange, uuidParameter } from "./holders-query.ts";
import { type ApiUsagePage, jobPage, jobQuery, usagePage, usageQuery } from "./usage-query.ts";
import { type ApiHours, countedHours, jobUsageSchema, usageSchema } from "./usage-row.ts";

/** The queries for who used devices, and for what. */
export function usageFields({ types, field }: SchemaKit): FieldMap {
  return {
    usage: field({
      scope: "read",
      selectors: "narrowed",
      type: pageOf(types, "UsagePage", usageSchema),
      description:
        "Who used GPUs, and for how long: allocated, unallocated and unknown time add up to the time of all GPUs",
      takes: usageQuery,
      size: limitOf,
      asksStore: true,
      resolve: (_, query, { allParts }) => usagePage(allParts.queries.usage, query, allParts.clock),
    }),
    jobUsage: field({
      scope: "read",
      selectors: "narrowed",
      type: pageOf(types, "JobUsagePage", jobUsageSchema),
      description: "What each pod and job used, in the order in which they began",
      takes: jobQuery,
      size: limitOf,
      asksStore: true,
      resolve: (_, query, { allParts }) => jobPage(allParts.queries.usage, query, allParts.clock),
    }),
    gpuHolders: field({
      scope: "read",
      selectors: "narrowed",
      type: types.listOf(heldSpanSchema),
      description: "Who held a GPU at an instant or in a range; empty if the GPU does not exist",
      takes: { uuid: uuidParameter, ...holdersQuery },
      asksStore: true,
      resolve: async (_, { uuid, ...query }, { allParts }) => {
        const range = holdersRange(query, allParts.clock);
        return (await allParts.queries.usage.holders({ uuid, range })).map(toApiHeldSpan);
      },
    }),
  };
}

function pageOf(types: SchemaKit["types"], name: string, schema: TObject) {
  return new GraphQLNonNull(
    new GraphQLObjectType<ApiUsagePage<unknown>>({
      name,
      description: "A part of the usage",
      fields: {
        rows: { type: types.listOf(schema), extensions: { size: () => 1 } },
        startTime: hourField("start_time"),
        endTime: hourField("end_time"),
        nextCursor: {
          type: GraphQLString,
          description: "The cursor of the next part; null at the end",
          resolve: ({ next }) => next,
        },
      },
    }),
  );
}

function hourField(name: keyof ApiHours) {
  const { description = "" } = countedHours[name];
  return {
    type: new GraphQLNonNull(dateTime),
    description,
    resolve: ({ hours }: ApiUsagePage<unknown>) => hours[name],
  };
}
