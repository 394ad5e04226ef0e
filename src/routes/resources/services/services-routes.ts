import { formatTimestamp } from "../../../domain/timestamp.ts";
import { listInFormat } from "../../http/formats/list-in-format.ts";
import { Elysia } from "elysia";
import { roleNames } from "../../../domain/role-name.ts";
import { type ServiceInstance, serviceInstanceSchema } from "../../../scaling/registry/service-instance.ts";
import type { Listed, ServiceRegistry } from "../../../scaling/registry/service-registry.ts";
import { rowsUnread } from "../../http/formats/head-of.ts";
import { operation } from "../../http/operation.ts";
import { accepts } from "../../http/parameters/accepts.ts";
import { choice, optional } from "../../http/parameters/parameter.ts";

/** The parameter of requests for the running processes. */
export const servicesQuery = {
  role: optional(
    choice(roleNames, {
      description: `Only processes with this role: ${roleNames.join(", ")}`,
      example: "collector",
    }),
  ),
};

/** The route that lists the running processes of the pipeline. */
export function servicesRoutes(registry: Pick<ServiceRegistry, "list">) {
  return new Elysia({ name: "services", prefix: "/api/v1/services" }).get(
    "",
    async ({ request, query: { role } }) => {
      const listed = await registry.list();
      const more = { as_of: formatTimestamp(listed.asOfMs) };
      return listInFormat(request, { elements: withRole(listed, role), schema: serviceInstanceSchema, more });
    },
    { ...accepts(servicesQuery), ...rowsUnread, detail },
  );
}

/** The instances that have a role; all if it is undefined. */
export function withRole({ instances }: Listed, role: string | undefined): readonly ServiceInstance[] {
  return role === undefined ? instances : instances.filter(({ roles }) => roles.includes(role));
}

const detail = operation({
  id: "listServices",
  tag: "pipeline",
  access: { scope: "read", selectors: "refused" },
  summary: "Running processes of the pipeline",
  description:
    "Each process with its roles, address, state, health and load, ordered by name. A process that dies disappears within " +
    "SERVICE_LEASE_SECONDS. Without etcd, the list has only the process that answers.",
  listAsOf: serviceInstanceSchema,
  errors: [400, 500, 503],
});
