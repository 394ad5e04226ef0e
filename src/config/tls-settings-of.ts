import { hostNamesOf } from "./host-names-of.ts";
import type { Config } from "./parse-config.ts";
import { readHostPort } from "../kit/host-port.ts";

/** The settings of TLS in front of a process's HTTP server; undefined if they name no certificate.
 *  @param port that the process listens on */
export function tlsSettingsOf(config: Config, port: number) {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, tlsRedirectPort, host, externalServiceAddress } = config;
  if (certFile === undefined || keyFile === undefined) return undefined;
  return {
    files: { certFile, keyFile, clientCaFile: config.authClientCaFile },
    requiresClientCertificate: config.authClientCertificates === "required",
    // the connections of a proxy are many clients'
    limits: { connectionsPerAddress: config.httpTrustForwardedFor ? 0 : config.tlsMaxConnectionsPerAddress },
    ...{ host, port },
    redirects: tlsRedirectPort === undefined ? undefined : { port: tlsRedirectPort, hosts: hostNamesOf(config) },
    shownPort: externalServiceAddress === undefined ? undefined : readHostPort(externalServiceAddress, "https")?.port,
    hstsSeconds: config.tlsHstsSeconds,
  };
}
