import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { quarantineQuery } from "../../http/parameters.ts";
import { rejectionSchema, toApiRejection } from "./rejection.ts";

/** What was rejected. */
export function quarantineFields({ types, field }: SchemaKit): FieldMap {
  return {
    quarantine: field({
      type: types.listOf(rejectionSchema),
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
