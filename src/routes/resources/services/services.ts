import { serviceInstanceSchema } from "../../../scaling/registry/service-instance.ts";
import { noFields, type Resource } from "../resource.ts";
import { servicesFields } from "./services-fields.ts";
import { servicesRoutes } from "./services-routes.ts";

/** The running processes of the pipeline. */
export const services: Resource = {
  schemas: [serviceInstanceSchema],
  routes: ({ serviceRegistry }) => [servicesRoutes(serviceRegistry)],
  fields: (kit) => ({ ...noFields, query: servicesFields(kit) }),
};
