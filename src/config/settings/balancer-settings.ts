import { Type } from "@sinclair/typebox";
import { count, path } from "../config-setting.ts";

/** The settings of the balancer, a process of its own (`bun run balancer`). */
export const balancerSettings = {
  balancerPort: count({
    env: "BALANCER_PORT",
    default: 8000,
    minimum: 0,
    maximum: 65_535,
    description: "Port that the balancer listens on; 0: any free port",
  }),
  balancerResponseTimeoutSeconds: count({
    env: "BALANCER_RESPONSE_TIMEOUT_SECONDS",
    default: 60,
    minimum: 1,
    maximum: 3600,
    unit: "s",
    description:
      "Time that a gateway may take to begin its response to a request through the balancer; keep it above QUERY_TIMEOUT_SECONDS",
  }),
  balancerCaFile: path("BALANCER_CA_FILE", "CA certificate (PEM) of gateways with https; default: the system's CAs"),
  balancerCertFile: path(
    "BALANCER_CERT_FILE",
    "Client certificate (PEM) of the balancer, for gateways that require one",
  ),
  balancerKeyFile: path("BALANCER_KEY_FILE", "Private key (PEM) of that certificate"),
  balancerBackends: Type.Optional(
    Type.Array(Type.String({ pattern: "^https?://[^/,@\\s]+$" }), {
      env: "BALANCER_BACKENDS",
      form: "list",
      elements: "http://host:port or https://host:port",
      minItems: 1,
      description: "URLs of the gateways behind the balancer; absent: the gateways in the list of services in etcd",
    }),
  ),
};
