import { noFields, type Resource } from "../resource.ts";
import { quarantineFields, quarantineMutations } from "./quarantine-fields.ts";
import { quarantineRoutes } from "./quarantine-routes.ts";
import { rejectionSchema } from "./rejection.ts";

/** Inputs that were rejected, each with its reason. */
export const quarantine: Resource = {
  schemas: [rejectionSchema],
  routes: (parts) => [quarantineRoutes(parts)],
  fields: (kit) => ({ ...noFields, query: quarantineFields(kit), mutation: quarantineMutations(kit) }),
};
