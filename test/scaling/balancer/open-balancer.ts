import type { Logger } from "pino";
import { until } from "../../../dev/until.ts";
import { HostNames } from "../../../src/kit/host-names.ts";
import type { ClientPem } from "../../../src/kit/pem-file.ts";
import { systemClock as clock } from "../../../src/kit/clock.ts";
import { startAll, stopAll } from "../../../src/kit/run-services.ts";
import type { BackendEntry } from "../../../src/scaling/balancer/backend.ts";
import { Backends } from "../../../src/scaling/balancer/backends.ts";
import { Balancer } from "../../../src/scaling/balancer/balancer.ts";
import type { TlsFront } from "../../../src/tls/tls-front.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

/** A balancer in this process. */
export interface OpenBalancer {
  readonly url: string;
  readonly backends: Backends;
  /** Replaces the list of gateways. */
  list(entries: readonly BackendEntry[]): void;
  stop(): Promise<void>;
}

export interface BalancerFacts {
  /** How many gateways are READY before the balancer is used; all by default. */
  readonly ready?: number;
  readonly responseTimeoutMs?: number;
  readonly log?: Logger;
  /** What the balancer trusts and shows at gateways. */
  readonly backendTls?: ClientPem;
  /** TLS of the balancer itself. */
  readonly tls?: TlsFront;
}

/** Starts a balancer on a free port, and waits until its gateways have answered a check. */
export async function openBalancer(urls: readonly string[], facts: BalancerFacts = {}): Promise<OpenBalancer> {
  const { ready = urls.length, responseTimeoutMs = 60_000, log = unshownLog(), backendTls, tls } = facts;
  const changes: ((entries: readonly BackendEntry[]) => void)[] = [];
  const list = (entries: readonly BackendEntry[]): void => changes.forEach((change) => change(entries));
  const watch = (onChange: (entries: readonly BackendEntry[]) => void): Promise<void> => {
    changes.push(onChange);
    onChange(urls.map((url) => ({ name: url, url, isDraining: false })));
    return Promise.resolve();
  };
  const backends = new Backends({ watch, responseTimeoutMs, tls: backendTls && (() => backendTls), clock, log });
  const hosts = new HostNames({ listensOn: "127.0.0.1", own: [], allowed: [] });
  const balancer = new Balancer({ backends, host: "127.0.0.1", hosts, port: 0, tls, clock, log });
  const services = [...(tls === undefined ? [] : [tls.certificate]), backends, balancer];
  await startAll(services);
  await until(() => backends.list().filter(({ state }) => state === "READY").length === ready);
  return { url: balancer.url ?? "", backends, list, stop: () => stopAll(services, AbortSignal.timeout(2000)) };
}
