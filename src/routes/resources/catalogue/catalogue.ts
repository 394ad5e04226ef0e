import { noFields, type Resource } from "../resource.ts";
import { catalogueFields } from "./catalogue-fields.ts";
import { catalogueRoutes } from "./catalogue-routes.ts";
import { metricSchema } from "./metric.ts";
import { seriesSchema } from "./series.ts";
import { seriesRelations } from "./series-relations.ts";

/** The catalogue of metrics. */
export const catalogue: Resource = {
  schemas: [metricSchema, seriesSchema],
  routes: ({ viewOf }) => [catalogueRoutes(viewOf)],
  fields: (kit) => ({ ...noFields, query: catalogueFields(kit), relations: seriesRelations(kit) }),
};
