import { Counter, Gauge, type Registry } from "prom-client";
import { hostNamesOf } from "../config/host-names-of.ts";
import type { Config } from "../config/parse-config.ts";
import { readHostPort } from "../kit/host-port.ts";
import type { Service } from "../kit/service.ts";
import { serveRedirects } from "../tls/redirect-server.ts";
import { TlsCertificate } from "../tls/tls-certificate.ts";
import { type HandshakeFailure, TlsTerminator } from "../tls/tls-terminator.ts";
import type { Peers } from "../tls/peer.ts";
import { listening } from "./listening.ts";
import type { SharedParts } from "./shared-parts.ts";

/** TLS on the port of a process. */
export interface OpenTls {
  /** The service that keeps the certificate; it must have started before `listen`. */
  readonly services: readonly Service[];
  readonly peers: Peers;
  readonly hstsSeconds: number;
  /** @param innerPort of the process's HTTP server on 127.0.0.1
   *  @returns the port
   *  @throws ListenFailed */
  listen(innerPort: number): Promise<number>;
  /** Accepts no more connections. */
  stopListening(): void;
}

/** Opens TLS on the port of this process; undefined if the settings name no certificate. */
export function openTls({ config, clock, log, registry }: SharedParts): OpenTls | undefined {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile, host, port, tlsRedirectPort } = config;
  if (certFile === undefined || keyFile === undefined) return undefined;
  const certificate = new TlsCertificate({ files: { certFile, keyFile, clientCaFile: undefined }, clock, log });
  const terminator = new TlsTerminator({
    certificate,
    requiresClientCertificate: false,
    onFailure: tlsInstruments(registry, certificate),
  });
  const stops = [() => terminator.stopListening()];
  return {
    services: [certificate],
    peers: terminator,
    hstsSeconds: config.tlsHstsSeconds,
    stopListening: () => stops.forEach((stop) => stop()),
    listen: async (innerPort) => {
      const own = await listening({ host, port, setting: "PORT" }, () => terminator.listen({ host, port, innerPort }));
      if (tlsRedirectPort === undefined) return own;
      const at = { host, port: tlsRedirectPort, setting: "TLS_REDIRECT_PORT" };
      const options = { host, port: tlsRedirectPort, hosts: hostNamesOf(config), tlsPort: shownPort(config, own) };
      const redirects = await listening(at, () => serveRedirects(options));
      stops.push(() => void redirects.stop(true));
      return own;
    },
  };
}

/** The port at which clients reach the process: the one of EXTERNAL_SERVICE_ADDRESS if that has one. */
function shownPort({ externalServiceAddress: external }: Config, own: number): number {
  return (external === undefined ? undefined : readHostPort(external, "https")?.port) ?? own;
}

/** @returns what counts the handshakes that fail */
function tlsInstruments(registry: Registry, certificate: TlsCertificate): (reason: HandshakeFailure) => void {
  new Gauge({
    name: "telemetry_tls_certificate_remaining_days",
    help: "Days until the certificate of this process's port expires; negative after that",
    registers: [registry],
    collect() {
      this.set(certificate.remainingDays() ?? NaN);
    },
  });
  const failures = new Counter({
    name: "telemetry_tls_handshake_failures_total",
    help: "TLS connections that did not come about",
    labelNames: ["reason"],
    registers: [registry],
  });
  return (reason) => failures.inc({ reason });
}
