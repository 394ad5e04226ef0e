import { noFields, type Resource } from "../resource.ts";
import { heldSpanSchema } from "./held-span.ts";
import { usageFields } from "./usage-fields.ts";
import { usageRoutes } from "./usage-routes.ts";
import { jobUsageSchema, usageSchema } from "./usage-row.ts";

/** Who used devices, and for what. */
export const usage: Resource = {
  schemas: [usageSchema, jobUsageSchema, heldSpanSchema],
  routes: ({ viewOf, clock }) => [usageRoutes(viewOf, clock)],
  fields: (kit) => ({ ...noFields, query: usageFields(kit) }),
};
