import { noFields, type Resource } from "../resource.ts";
import { accessKeySchema, newAccessKeySchema, ticketSchema } from "./access-key.ts";
import { auditEntrySchema } from "./audit-entry.ts";
import { auditRoutes } from "./audit-routes.ts";
import { meRoutes, meSchema } from "./me.ts";
import { sessionRoutes, sessionSchema } from "./session-routes.ts";
import { keyRoutes, ticketRoutes } from "./access-routes.ts";

/** Callers, keys, sessions, tickets for WebSockets, and the audit log. */
export const access: Resource = {
  schemas: [accessKeySchema, newAccessKeySchema, ticketSchema, sessionSchema, meSchema, auditEntrySchema],
  routes: ({ administration, clock }) => [
    keyRoutes(administration.keys, clock),
    ticketRoutes(administration.tickets),
    sessionRoutes(administration.sessions),
    meRoutes(),
    auditRoutes(administration.audit),
  ],
  fields: () => noFields,
};
