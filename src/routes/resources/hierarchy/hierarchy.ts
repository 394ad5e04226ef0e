import { clusterSchema, hostSchema } from "../../schemas/hierarchy.ts";
import { noFields, type Resource } from "../resource.ts";
import { clusterHostRoutes } from "./cluster-host-routes.ts";
import { clusterRoutes } from "./cluster-routes.ts";
import { clusterStatsSchema } from "./cluster-stats-schema.ts";
import { hierarchyFields } from "./hierarchy-fields.ts";
import { hostRoutes } from "./host-routes.ts";
import { hierarchyRelations } from "./relations.ts";

/** Clusters, their hosts, and the hosts' GPUs. */
export const hierarchy: Resource = {
  schemas: [clusterSchema, clusterStatsSchema, hostSchema],
  routes: ({ viewOf }) => [clusterRoutes(viewOf), clusterHostRoutes(viewOf), hostRoutes(viewOf)],
  fields: (kit) => ({ ...noFields, query: hierarchyFields(kit), relations: hierarchyRelations(kit) }),
};
