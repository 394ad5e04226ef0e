import { GraphQLNonNull } from "graphql";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { pipelineSchema, toApiPipeline } from "./pipeline-state.ts";

/** The query for the pipeline's state. */
export function pipelineFields({ types, field }: SchemaKit): FieldMap {
  return {
    pipeline: field({
      scope: "read",
      selectors: "refused",
      type: new GraphQLNonNull(types.of(pipelineSchema)),
      description: "State of the pipeline: its queue, its inputs, its history, and the services of this process",
      takes: {},
      asksStore: true,
      resolve: async (_, __, { allParts }) => toApiPipeline(await allParts.pipeline.state()),
    }),
  };
}
