import { Resolver } from "node:dns/promises";
import type { Logger } from "pino";
import { type Clock, systemClock } from "../../../../kit/clock.ts";
import { messageOf } from "../../../../kit/message-of.ts";
import { within } from "../../../../kit/within.ts";
import { readTarget, type Target } from "../target.ts";
import { PolledDiscovery } from "./polled-discovery.ts";
import type { TargetDiscovery } from "./target-discovery.ts";
import { UnusableSource } from "../../../../domain/errors.ts";

export interface SrvDiscoveryOptions {
  /** The name of the SRV records, such as `_dcgm._tcp.example`; with a scheme and a path if the exporters need others than http and
   *  /metrics. */
  readonly name: string;
  /** The cluster of the targets. */
  readonly clusterId: string;
  /** Addresses of name servers; by default, those of the machine. */
  readonly servers?: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** Prometheus's default: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#dns_sd_config */
const pauseMs = 30_000;
const timeoutMs = 5000;

/** The targets of SRV records (DCGM_TARGETS_SRV). If the name service does not answer or no longer has the name, the targets stay as
 *  they were. */
export function srvDiscovery({ name, clusterId, servers, clock, log }: SrvDiscoveryOptions): TargetDiscovery {
  const [, scheme = "http", record = name, path] = /^(https?):\/\/([^/]+)(\/.*)?$/.exec(name) ?? [];
  const labels = { __scheme__: scheme, ...(path === undefined ? {} : { __metrics_path__: path }) };
  const read = async (): Promise<readonly Target[]> => {
    // a new resolver each time: a resolver caches answers, also the answer that a name does not exist
    const resolver = new Resolver();
    if (servers !== undefined) resolver.setServers(servers);
    // the machine's clock: a query takes real time even if a test controls the pauses
    const found = await within(systemClock, timeoutMs, () => resolver.resolveSrv(record)).catch((cause: unknown) => {
      throw new UnusableSource(`${record} cannot be resolved: ${messageOf(cause)}`, { cause });
    });
    return found
      .map(({ name: host, port }) => `${host.replace(/\.$/, "")}:${port}`)
      .sort()
      .map((address) => {
        const target = readTarget({ address, labels }, clusterId);
        if (typeof target === "string") throw new UnusableSource(`${record}: ${target}`);
        return target;
      });
  };
  return new PolledDiscovery({ description: `DCGM_TARGETS_SRV=${name}`, read, pauseMs, clock, log });
}
