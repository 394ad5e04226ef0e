import { noFields, type Resource } from "../resource.ts";
import { coverageFields } from "./coverage-fields.ts";
import { coverageSchema } from "./coverage-row.ts";
import { coverageRoutes } from "./coverage-routes.ts";

/** What was expected of devices and targets, and what was received. */
export const coverage: Resource = {
  schemas: [coverageSchema],
  routes: ({ viewOf, clock }) => [coverageRoutes(viewOf, clock)],
  fields: (kit) => ({ ...noFields, query: coverageFields(kit) }),
};
