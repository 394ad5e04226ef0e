import { noFields, type Resource } from "../resource.ts";
import { accessKeySchema, newAccessKeySchema, ticketSchema } from "./access-key.ts";
import { auditEntrySchema } from "./audit-entry.ts";
import { auditRoutes } from "./audit-routes.ts";
import { keyRoutes, ticketRoutes } from "./access-routes.ts";

/** Keys, tickets for WebSockets, and the audit log. */
export const access: Resource = {
  schemas: [accessKeySchema, newAccessKeySchema, ticketSchema, auditEntrySchema],
  routes: ({ administration, clock }) => [
    keyRoutes(administration.keys, clock),
    ticketRoutes(administration.tickets),
    auditRoutes(administration.audit),
  ],
  fields: () => noFields,
};
