import { hostNamesOf } from "../src/config/host-names-of.ts";
import { parseConfig } from "../src/config/parse-config.ts";
import { openEtcd } from "../src/etcd/open-etcd.ts";
import { systemClock as clock } from "../src/kit/clock.ts";
import { messageOf } from "../src/kit/message-of.ts";
import { nameProcess } from "../src/kit/process-name.ts";
import { startAll, stopAll } from "../src/kit/run-services.ts";
import { Backends, type WatchEntries } from "../src/scaling/balancer/backends.ts";
import { Balancer } from "../src/scaling/balancer/balancer.ts";
import { listedGateways, registeredGateways } from "../src/scaling/balancer/gateway-entries.ts";
import { EtcdServiceRegistry } from "../src/scaling/registry/etcd/etcd-service-registry.ts";
import { makeLog } from "../src/terminal/log.ts";
import { printError } from "../src/terminal/print.ts";

// bun run balancer
// Spreads requests over the gateways that BALANCER_BACKENDS names, or over those in etcd's list of services.

/** Bun sends at most 256 requests at a time, or as many as this variable says when the process begins. */
const requestsVariable = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const requestsMax = "16384";

/** Replaces this program by itself with a higher limit of requests. The process stays the same. */
function raiseRequestLimit(): void {
  if (process.env[requestsVariable] !== undefined || process.execve === undefined) return;
  process.execve(process.execPath, process.argv, { ...process.env, [requestsVariable]: requestsMax });
}

async function balance(): Promise<void> {
  const config = parseConfig(process.env);
  const { host, balancerPort: port, balancerBackends, queueTopic: topic, serviceLeaseSeconds: leaseSeconds } = config;
  const stopRequested = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => resolve());
  });
  const log = makeLog(config.logLevel, process.stdout.isTTY);
  const client = openEtcd(config);
  const watch = ((): WatchEntries => {
    if (balancerBackends !== undefined) return listedGateways(balancerBackends);
    if (client === undefined)
      throw new Error("The balancer needs to know the gateways: set BALANCER_BACKENDS or ETCD_ENDPOINTS");
    return registeredGateways(new EtcdServiceRegistry({ client, topic, leaseSeconds, clock, log }));
  })();
  const responseTimeoutMs = config.balancerResponseTimeoutSeconds * 1000;
  const backends = new Backends({ watch, responseTimeoutMs, clock, log });
  const services = [backends, new Balancer({ backends, host, hosts: hostNamesOf(config), port, clock, log })];
  await startAll(services);
  await stopRequested;
  await stopAll(services, AbortSignal.timeout(config.shutdownTimeoutSeconds * 1000));
  client?.close();
}

try {
  raiseRequestLimit();
  nameProcess("nexus-balancer");
  await balance();
  process.exit(0);
} catch (error) {
  printError(messageOf(error));
  process.exit(1);
}
