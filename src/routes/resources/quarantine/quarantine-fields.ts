import { type FieldMap, limitOf, type SchemaKit } from "../../graphql-kit/field.ts";
import { defined } from "../../../kit/defined.ts";
import { quarantineQuery } from "./quarantine-routes.ts";
import { rejectionSchema, toApiRejection } from "./rejection.ts";

/** The query for rejected inputs. */
export function quarantineFields({ types, field }: SchemaKit): FieldMap {
  return {
    quarantine: field({
      scope: "read",
      selectors: "refused",
      type: types.listOf(rejectionSchema),
      description: "Inputs that were rejected, newest first",
      takes: quarantineQuery,
      size: limitOf,
      asksStore: true,
      resolve: async (_, { source_id: sourceId, limit }, { allParts }) =>
        (await allParts.quarantine.rejections(defined({ sourceId, limit }))).map(toApiRejection),
    }),
  };
}
