import { noFields, type Resource } from "../resource.ts";
import { figureSchema } from "./figure.ts";
import { scalingFields } from "./scaling-fields.ts";
import { scalingRoutes } from "./scaling-routes.ts";
import { scalingSchema } from "./scaling-state.ts";

/** The coordinator's decisions, and the figures that it publishes. */
export const scaling: Resource = {
  schemas: [scalingSchema, figureSchema],
  routes: (parts) => [scalingRoutes(parts)],
  fields: (kit) => ({ ...noFields, query: scalingFields(kit) }),
};
