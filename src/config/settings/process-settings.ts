import { Type } from "@sinclair/typebox";
import { pipelineRoles, roleNames } from "../../domain/role-name.ts";
import { count } from "../config-setting.ts";

/** The settings of every process. */
export const processSettings = {
  roles: Type.Array(Type.Union(roleNames.map((role) => Type.Literal(role))), {
    env: "ROLE",
    form: "roles",
    default: [...pipelineRoles],
    minItems: 1,
    description: `Roles that this process runs: all (${pipelineRoles.join(", ")}), or a comma-separated list of ${roleNames.join(", ")}`,
  }),
  host: Type.String({
    env: "HOST",
    default: "127.0.0.1",
    minLength: 1,
    description: "Address to listen on; 0.0.0.0 opens the port to the network",
  }),
  port: count({
    env: "PORT",
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: "Port to listen on; 0: any free port",
  }),
  allowedHosts: Type.Optional(
    Type.Array(Type.String({ pattern: "^(?:\\*|(?:\\*\\.)?[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+)$" }), {
      env: "ALLOWED_HOSTS",
      form: "list",
      elements: "a name, *.domain, an address or *",
      minItems: 1,
      description:
        "Further names under which the process answers, such as gpus.example.org or *.example.org; *: every name, which lets any web page that a user opens reach the process by DNS rebinding",
    }),
  ),
  logLevel: Type.Union(
    (["fatal", "error", "warn", "info", "debug", "trace"] as const).map((level) => Type.Literal(level)),
    { env: "LOG_LEVEL", default: "info", description: "Least severe level that is logged" },
  ),
  shutdownTimeoutSeconds: count({
    env: "SHUTDOWN_TIMEOUT_SECONDS",
    default: 30,
    minimum: 1,
    maximum: 3600,
    unit: "s",
    description: "Time to finish work and close after SIGINT or SIGTERM",
  }),
  shutdownDrainSeconds: count({
    env: "SHUTDOWN_DRAIN_SECONDS",
    default: 0,
    minimum: 0,
    maximum: 3600,
    unit: "s",
    description:
      "Part of SHUTDOWN_TIMEOUT_SECONDS in which the process still answers requests, but says that it is not ready, so that balancers stop sending to it",
  }),
};
