import { deadLetterSchema } from "../../schemas/dead-letter.ts";
import { noFields, type Resource } from "../resource.ts";
import { deadLetterFields, deadLetterMutations } from "./dead-letter-fields.ts";
import { pipelineFields } from "./pipeline-fields.ts";
import { pipelineRoutes } from "./pipeline-routes.ts";
import { pipelineSchema } from "./pipeline-state.ts";

/** The pipeline's state, and its dead letters. */
export const pipeline: Resource = {
  schemas: [deadLetterSchema, pipelineSchema],
  routes: (parts) => [pipelineRoutes(parts)],
  fields: (kit) => ({
    ...noFields,
    query: { ...pipelineFields(kit), ...deadLetterFields(kit) },
    mutation: deadLetterMutations(kit),
  }),
};
