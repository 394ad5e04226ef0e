import { Type } from "@sinclair/typebox";
import { count, duration, optionalCount } from "../config-setting.ts";

import { clientSettings } from "./client-settings.ts";

/** The settings of what gateways serve. */
export const apiSettings = {
  httpRateLimitPerSecond: optionalCount({
    env: "HTTP_RATE_LIMIT_PER_SECOND",
    minimum: 0,
    maximum: 1_000_000,
    unit: "requests/s",
    description:
      "Maximum number of requests and of messages over sockets a second that a gateway accepts from one client (a key, or without keys an address), not counting /health and /metrics; 0: no limit; absent: 1000 where keys are required, otherwise no limit",
  }),
  httpUnauthenticatedPerSecond: count({
    env: "HTTP_UNAUTHENTICATED_PER_SECOND",
    default: 100,
    minimum: 0,
    maximum: 1_000_000,
    unit: "requests/s",
    description:
      "Where keys are required: maximum number of requests a second of one address that show no valid key, token or session, and of tokens that are checked for the first time; the end of a sign-in counts as 10; 0: no limit",
  }),
  httpTrustForwardedFor: Type.Boolean({
    env: "HTTP_TRUST_FORWARDED_FOR",
    default: false,
    description: "Take the client's address from the end of X-Forwarded-For; only behind a proxy that sets it",
  }),
  httpForwardedHops: count({
    env: "HTTP_FORWARDED_HOPS",
    default: 1,
    minimum: 1,
    maximum: 10,
    description:
      "With HTTP_TRUST_FORWARDED_FOR: the number of proxies between clients and this process, the balancer included; the client is this many addresses from the end",
  }),
  ...clientSettings,
  pushMaxMebibytes: count({
    env: "PUSH_MAX_MIB",
    default: 64,
    minimum: 1,
    maximum: 4096,
    unit: "MiB",
    description: "Largest push of telemetry that a gateway accepts, after it is unpacked",
  }),
  remoteWriteClusterLabel: Type.String({
    env: "REMOTE_WRITE_CLUSTER_LABEL",
    default: "cluster",
    pattern: "^[a-zA-Z_][a-zA-Z0-9_]*$",
    expects: "the name of a label, such as cluster",
    description:
      "The label that names the cluster of a series that a Prometheus writes to a gateway; series without it are of CLUSTER_ID",
  }),
  metricsFleet: Type.Boolean({
    env: "METRICS_FLEET",
    default: false,
    description:
      "Whether a gateway serves the newest values of all GPUs at /metrics/fleet, for a Prometheus, as dcgm-exporter names them",
  }),
  metricsFleetStaleAfterMs: duration({
    env: "METRICS_FLEET_STALE_AFTER",
    default: 300_000,
    minimum: 1000,
    description: "Time since its newest record after which /metrics/fleet leaves a GPU out",
  }),
  corsOrigins: Type.Optional(
    Type.Array(Type.String({ pattern: "^(\\*|https?://[^/\\s]+)$" }), {
      env: "CORS_ORIGINS",
      form: "list",
      elements: "http://host, https://host or *",
      minItems: 1,
      description:
        "Origins whose pages may use a gateway, such as https://host; *: every page may read; absent: only its own",
    }),
  ),
  graphqlIntrospection: Type.Boolean({
    env: "GRAPHQL_INTROSPECTION",
    default: true,
    description: "Whether /graphql answers introspection queries; GraphiQL needs them",
  }),
  graphiql: Type.Boolean({
    env: "GRAPHIQL",
    default: true,
    description: "Whether /graphql shows GraphiQL to browsers",
  }),
  wsMaxConnections: count({
    env: "WS_MAX_CONNECTIONS",
    default: 10_000,
    minimum: 1,
    maximum: 1_000_000,
    description: "Maximum number of WebSockets that a gateway accepts, counted separately for /ws and /graphql",
  }),
  wsMaxSubscriptions: count({
    env: "WS_MAX_SUBSCRIPTIONS",
    default: 100,
    minimum: 1,
    maximum: 10_000,
    description: "Maximum number of subscriptions of one connection to /ws",
  }),
  wsStallTimeoutMs: duration({
    env: "WS_STALL_TIMEOUT",
    default: 30_000,
    minimum: 100,
    description: "Time after which a client of /ws that reads nothing while messages wait is disconnected",
  }),
  wsIdleTimeoutMs: duration({
    env: "WS_IDLE_TIMEOUT",
    default: 60_000,
    minimum: 8000,
    maximum: 960_000,
    description: "Time after which a client of /ws that sends nothing, not even pongs, is disconnected",
  }),
  wsReplayMaxRecords: count({
    env: "WS_REPLAY_MAX_RECORDS",
    default: 100_000,
    minimum: 1,
    maximum: 10_000_000,
    unit: "records",
    description: "Maximum number of stored records that a subscription with since receives in its replay",
  }),
};
