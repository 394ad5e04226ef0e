import { Type } from "@sinclair/typebox";
import { count, path } from "../config-setting.ts";

/** The settings of TLS on the port of a process. */
export const tlsSettings = {
  tlsCertFile: path(
    "TLS_CERT_FILE",
    "Certificate (PEM) of this process's own port, then those of its authorities, read again when it changes; absent: no TLS",
  ),
  tlsKeyFile: path("TLS_KEY_FILE", "Private key (PEM, without a passphrase) of that certificate"),
  tlsRedirectPort: Type.Optional(
    Type.Integer({
      env: "TLS_REDIRECT_PORT",
      minimum: 0,
      maximum: 65_535,
      description: "Port without TLS that sends browsers to PORT; requests with a key are refused there",
    }),
  ),
  tlsMaxConnectionsPerAddress: count({
    env: "TLS_MAX_CONNECTIONS_PER_ADDRESS",
    default: 2000,
    minimum: 0,
    maximum: 20_000,
    description:
      "Maximum number of open TLS connections of one IPv4 address or one IPv6 network of 64 bits; not for loopback, nor with HTTP_TRUST_FORWARDED_FOR, where a proxy connects; 0: no limit",
  }),
  tlsHstsSeconds: count({
    env: "TLS_HSTS_SECONDS",
    default: 86_400,
    minimum: 0,
    maximum: 63_072_000,
    unit: "s",
    description:
      "Time for which browsers use only TLS for the process's name, on every port of it, so other servers of that name need TLS too; 0: not said",
  }),
};
