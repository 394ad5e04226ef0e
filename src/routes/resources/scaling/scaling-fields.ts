import { GraphQLNonNull } from "graphql";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { scalingQuery } from "./scaling-routes.ts";
import { scalingSchema, toApiScaling } from "./scaling-state.ts";

/** The query for the coordinator's state. */
export function scalingFields({ types, field }: SchemaKit): FieldMap {
  return {
    scaling: field({
      scope: "read",
      selectors: "refused",
      type: new GraphQLNonNull(types.of(scalingSchema)),
      description: "How many processes each role should have, and why",
      takes: scalingQuery,
      size: limitOf,
      resolve: async (_, { limit }, { allParts }) => toApiScaling(await allParts.scaling.read(limit)),
    }),
  };
}
