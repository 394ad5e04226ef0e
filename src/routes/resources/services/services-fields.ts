import { serviceInstanceSchema } from "../../../scaling/registry/service-instance.ts";
import type { FieldMap, SchemaKit } from "../../graphql-kit/field.ts";
import { servicesQuery, withRole } from "./services-routes.ts";

/** The assumed number of processes of a pipeline, before the list is read. */
const assumedProcesses = 50;

/** The query for the running processes. */
export function servicesFields({ types, field }: SchemaKit): FieldMap {
  return {
    services: field({
      scope: "read",
      selectors: "refused",
      type: types.listOf(serviceInstanceSchema),
      description: "Running processes of the pipeline, ordered by name",
      takes: servicesQuery,
      size: () => assumedProcesses,
      resolve: async (_, { role }, { allParts }) => withRole(await allParts.serviceRegistry.list(), role),
    }),
  };
}
