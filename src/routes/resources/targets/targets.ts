import { targetStateSchema } from "../../../pipeline/source/target-states.ts";
import { noFields, type Resource } from "../resource.ts";
import { targetsFields } from "./targets-fields.ts";
import { targetsRoutes } from "./targets-routes.ts";

/** The exporters that the pipeline scrapes, and its other live sources. */
export const targets: Resource = {
  schemas: [targetStateSchema],
  routes: ({ targetStates }) => [targetsRoutes(targetStates)],
  fields: (kit) => ({ ...noFields, query: targetsFields(kit) }),
};
