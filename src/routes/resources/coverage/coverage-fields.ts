import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { type ApiCoveragePage, coveragePage, coverageQuery } from "./coverage-query.ts";
import { coverageSchema } from "./coverage-row.ts";

/** The query for what was expected and what was received. */
export function coverageFields({ types, field }: SchemaKit): FieldMap {
  const page = new GraphQLObjectType<ApiCoveragePage>({
    name: "CoveragePage",
    description: "A part of the coverage",
    fields: {
      rows: { type: types.listOf(coverageSchema), extensions: { size: () => 1 } },
      nextCursor: {
        type: GraphQLString,
        description: "The cursor of the next part; null at the end",
        resolve: ({ next }) => next,
      },
    },
  });
  return {
    coverage: field({
      scope: "read",
      selectors: "narrowed",
      type: new GraphQLNonNull(page),
      description: "What was expected of devices, hosts, clusters or targets in each hour, and what was received",
      takes: coverageQuery,
      size: limitOf,
      asksStore: true,
      resolve: (_, query, { allParts }) => coveragePage(allParts.queries.coverage, query, allParts.clock),
    }),
  };
}
