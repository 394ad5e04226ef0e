import { noFields, type Resource } from "../resource.ts";
import { catalogueFields } from "./catalogue-fields.ts";
import { catalogueRoutes } from "./catalogue-routes.ts";
import { metricSchema } from "./metric.ts";

/** The catalogue of metrics. */
export const catalogue: Resource = {
  schemas: [metricSchema],
  routes: () => [catalogueRoutes()],
  fields: (kit) => ({ ...noFields, query: catalogueFields(kit) }),
};
