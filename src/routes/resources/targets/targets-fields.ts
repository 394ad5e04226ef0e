import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { type TargetState, targetStateSchema } from "../../../pipeline/source/target-states.ts";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { dateTime } from "../../graphql-kit/types/scalars.ts";
import type { ListPage } from "../../http/list-page.ts";
import { selectedTargets, targetPage, targetPageQuery, targetsQuery } from "./targets-query.ts";

/** The assumed number of targets of a pipeline, before the list is read. */
const assumedTargets = 200;

/** The queries for the exporters that the pipeline scrapes, and its other live sources. */
export function targetsFields({ types, field }: SchemaKit): FieldMap {
  const page = pageType(types);
  return {
    targets: field({
      scope: "read",
      selectors: "refused",
      type: types.listOf(targetStateSchema),
      description: "All exporters that the pipeline scrapes, and its other live sources, ordered by cluster and target",
      takes: targetsQuery,
      size: () => assumedTargets,
      resolve: async (_, query, { allParts }) => selectedTargets(await allParts.targetStates.list(), query),
    }),
    targetPage: field({
      scope: "read",
      selectors: "refused",
      type: new GraphQLNonNull(page),
      description: "A part of the targets",
      takes: targetPageQuery,
      size: limitOf,
      resolve: async (_, query, { allParts }) => {
        const listed = await allParts.targetStates.list();
        return { ...targetPage(listed, query), asOfMs: listed.asOfMs };
      },
    }),
  };
}

function pageType(types: SchemaKit["types"]) {
  return new GraphQLObjectType<ListPage<TargetState> & { readonly asOfMs: number }>({
    name: "TargetPage",
    description: "A part of the targets",
    fields: {
      targets: {
        type: types.listOf(targetStateSchema),
        extensions: { size: () => 1 },
        resolve: ({ elements }) => elements,
      },
      asOf: {
        type: new GraphQLNonNull(dateTime),
        description: "When the list was read",
        resolve: ({ asOfMs }) => formatTimestamp(asOfMs),
      },
      nextCursor: {
        type: GraphQLString,
        description: "The cursor of the next part; null at the end",
        resolve: ({ next }) => next,
      },
    },
  });
}
