import { Type } from "@sinclair/typebox";
import { count, path } from "../config-setting.ts";

/** A port from 1 to 65535. */
const port = "(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])";

/** The settings of the connection to etcd, and of its upkeep. */
export const etcdSettings = {
  etcdEndpoints: Type.Optional(
    Type.Array(Type.String({ pattern: `^https?://(?:\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+):${port}$` }), {
      env: "ETCD_ENDPOINTS",
      form: "list",
      elements:
        "http://host:port or https://host:port, with a port from 1 to 65535, and the user in ETCD_USERNAME and ETCD_PASSWORD",
      minItems: 1,
      description: "URLs of etcd's members, http://host:2379 each; absent: the queue and the hot tier are in memory",
    }),
  ),
  etcdCaFile: path("ETCD_CA_FILE", "CA certificate (PEM) of etcd's servers, for https; default: the system's CAs"),
  etcdCertFile: path("ETCD_CERT_FILE", "Client certificate (PEM) for etcd"),
  etcdKeyFile: path("ETCD_KEY_FILE", "Private key (PEM) of the client certificate"),
  etcdUsername: Type.Optional(Type.String({ env: "ETCD_USERNAME", minLength: 1, description: "User name for etcd" })),
  etcdPassword: Type.Optional(
    Type.String({ env: "ETCD_PASSWORD", minLength: 1, secret: true, description: "Password for etcd" }),
  ),
  etcdCompactSeconds: count({
    env: "ETCD_COMPACT_SECONDS",
    default: 30,
    minimum: 0,
    maximum: 86_400,
    unit: "s",
    description:
      "Time that etcd keeps old revisions before a process compacts them, unless etcd's database grows fast; 0: left to etcd's auto-compaction",
  }),
};
