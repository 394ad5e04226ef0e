import { noFields, type Resource } from "../resource.ts";
import { accessKeySchema, newAccessKeySchema, ticketSchema } from "./access-key.ts";
import { keyRoutes, ticketRoutes } from "./access-routes.ts";

/** Keys, and tickets for WebSockets. */
export const access: Resource = {
  schemas: [accessKeySchema, newAccessKeySchema, ticketSchema],
  routes: ({ administration, clock }) => [keyRoutes(administration.keys, clock), ticketRoutes(administration.tickets)],
  fields: () => noFields,
};
