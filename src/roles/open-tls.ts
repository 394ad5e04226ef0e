import { Counter, Gauge, type Registry } from "prom-client";
import { tlsSettingsOf } from "../config/tls-settings-of.ts";
import type { Service } from "../kit/service.ts";
import type { Peers } from "../tls/peer.ts";
import { openTlsFront } from "../tls/open-tls-front.ts";
import type { TlsFront } from "../tls/tls-front.ts";
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
  const { host, port, tlsRedirectPort } = config;
  const settings = tlsSettingsOf(config, port);
  if (settings === undefined) return undefined;
  const failures = failureCounter(registry);
  const front = openTlsFront({ ...settings, clock, log, onFailure: (reason) => failures.inc({ reason }) });
  showExpiry(registry, front);
  return {
    services: [front.certificate],
    peers: front.peers,
    hstsSeconds: front.hstsSeconds,
    stopListening: () => front.stopListening(),
    listen: async (innerPort) => {
      const own = await listening({ host, port, setting: "PORT" }, () => front.listen(innerPort));
      const redirects = { host, port: tlsRedirectPort ?? 0, setting: "TLS_REDIRECT_PORT" };
      await listening(redirects, () => front.listenForRedirects(own));
      return own;
    },
  };
}

function failureCounter(registry: Registry): Counter<"reason"> {
  return new Counter({
    name: "telemetry_tls_handshake_failures_total",
    help: "TLS connections that did not come about",
    labelNames: ["reason"],
    registers: [registry],
  });
}

function showExpiry(registry: Registry, { certificate }: TlsFront): void {
  new Gauge({
    name: "telemetry_tls_certificate_remaining_days",
    help: "Days until the certificate of this process's port expires; negative after that",
    registers: [registry],
    collect() {
      this.set(certificate.remainingDays() ?? NaN);
    },
  });
}
