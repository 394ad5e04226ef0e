import { GraphQLNonNull } from "graphql";
import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { quarantineQuery, rejectionFilterOf, rejectionParams } from "./quarantine-routes.ts";
import { rejectionSchema, toApiRejection } from "./rejection.ts";

/** The query for rejected inputs. */
export function quarantineFields({ types, field }: SchemaKit): FieldMap {
  return {
    quarantine: field({
      scope: "read",
      selectors: "refused",
      type: types.listOf(rejectionSchema),
      description: "Inputs that were rejected, newest first; those before another one have its id as cursor",
      takes: quarantineQuery,
      size: limitOf,
      asksStore: true,
      resolve: async (_, query, { allParts }) =>
        (await allParts.quarantine.rejections(rejectionFilterOf(query))).map(toApiRejection),
    }),
  };
}

/** The mutations that redrive and delete rejected inputs. */
export function quarantineMutations({ types, field }: SchemaKit): FieldMap {
  const rejection = new GraphQLNonNull(types.of(rejectionSchema));
  return {
    redriveRejection: field({
      scope: "operate",
      type: rejection,
      description:
        "Reads a rejected row of a file again, and stores what it gives; returns the rejected input as it was",
      takes: rejectionParams,
      resolve: async (_, { id }, { allParts }) => toApiRejection(await allParts.rejectedInputs.redrive(id)),
    }),
    deleteRejection: field({
      scope: "operate",
      type: rejection,
      description: "Deletes a rejected input permanently; returns it as it was",
      takes: rejectionParams,
      resolve: async (_, { id }, { allParts }) => toApiRejection(await allParts.rejectedInputs.delete(id)),
    }),
  };
}
