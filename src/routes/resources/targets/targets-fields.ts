import { targetStateSchema } from "../../../pipeline/source/target-states.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { selectedTargets, targetsQuery } from "./targets-routes.ts";

/** The assumed number of targets of a pipeline, before the list is read. */
const assumedTargets = 200;

/** The query for the exporters that the pipeline scrapes. */
export function targetsFields({ types, field }: SchemaKit): FieldMap {
  return {
    targets: field({
      scope: "read",
      type: types.listOf(targetStateSchema),
      description: "Exporters that the pipeline scrapes, ordered by cluster and target",
      takes: targetsQuery,
      size: () => assumedTargets,
      resolve: async (_, query, { allParts }) => selectedTargets(await allParts.targetStates.list(), query),
    }),
  };
}
