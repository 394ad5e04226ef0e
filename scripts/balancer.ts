import { hostNamesOf } from "../src/config/host-names-of.ts";
import { type Config, parseConfig } from "../src/config/parse-config.ts";
import { tlsSettingsOf } from "../src/config/tls-settings-of.ts";
import { openEtcd } from "../src/etcd/open-etcd.ts";
import { systemClock as clock } from "../src/kit/clock.ts";
import { messageOf } from "../src/kit/message-of.ts";
import { type ClientPem, clientPemFiles } from "../src/kit/pem-file.ts";
import { nameProcess } from "../src/kit/process-name.ts";
import { startAll, stopAll } from "../src/kit/run-services.ts";
import { stopSignal } from "../src/kit/stop-signals.ts";
import { Backends, type WatchEntries } from "../src/scaling/balancer/backends.ts";
import { Balancer } from "../src/scaling/balancer/balancer.ts";
import { listedGateways, registeredGateways } from "../src/scaling/balancer/gateway-entries.ts";
import { EtcdServiceRegistry } from "../src/scaling/registry/etcd/etcd-service-registry.ts";
import { openTlsFront } from "../src/tls/open-tls-front.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { makeLog } from "../src/terminal/log.ts";
import { printError } from "../src/terminal/print.ts";

const usage = `Spreads requests over the gateways that BALANCER_BACKENDS names, or over those in etcd's list of services.
  bun run balancer
Listens on BALANCER_PORT until Ctrl-C. 'bun run config' prints the settings BALANCER_...`;

/** Bun sends at most 256 requests at a time, or as many as this variable says when the process begins. */
const requestsVariable = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const requestsMax = "16384";

/** Replaces this program by itself with a higher limit of requests. The process stays the same. */
function raiseRequestLimit(): void {
  if (process.env[requestsVariable] !== undefined || process.execve === undefined) return;
  process.execve(process.execPath, process.argv, { ...process.env, [requestsVariable]: requestsMax });
}

/** @throws Error if a file cannot be read, or is no PEM */
function backendTls({ balancerCaFile, balancerCertFile, balancerKeyFile }: Config): (() => ClientPem) | undefined {
  if ((balancerCaFile ?? balancerCertFile ?? balancerKeyFile) === undefined) return undefined;
  return clientPemFiles({
    ca: ["BALANCER_CA_FILE", balancerCaFile],
    cert: ["BALANCER_CERT_FILE", balancerCertFile],
    key: ["BALANCER_KEY_FILE", balancerKeyFile],
  });
}

async function balance(): Promise<void> {
  const config = parseConfig(process.env);
  const { host, balancerPort: port, balancerBackends, queueTopic: topic, serviceLeaseSeconds: leaseSeconds } = config;
  const stopRequested = stopSignal();
  const log = await makeLog(config.logLevel, process.stdout.isTTY);
  const client = openEtcd(config);
  const watch = ((): WatchEntries => {
    if (balancerBackends !== undefined) return listedGateways(balancerBackends);
    if (client === undefined)
      throw new Error("The balancer needs to know the gateways: set BALANCER_BACKENDS or ETCD_ENDPOINTS");
    return registeredGateways(new EtcdServiceRegistry({ client, topic, leaseSeconds, clock, log }));
  })();
  const responseTimeoutMs = config.balancerResponseTimeoutSeconds * 1000;
  const backends = new Backends({ watch, responseTimeoutMs, tls: backendTls(config), clock, log });
  const settings = tlsSettingsOf(config, port);
  // a certificate says nothing here: gateways do not see it
  const files = settings && {
    ...settings.files,
    clientCaFile: settings.requiresClientCertificate ? settings.files.clientCaFile : undefined,
  };
  const tls = settings && files && openTlsFront({ ...settings, files, clock, log, onFailure: () => undefined });
  const balancer = new Balancer({ backends, host, hosts: hostNamesOf(config), port, tls, clock, log });
  const services = [...(tls === undefined ? [] : [tls.certificate]), backends, balancer];
  await startAll(services);
  await stopRequested;
  await stopAll(services, AbortSignal.timeout(config.shutdownTimeoutSeconds * 1000));
  client?.close();
}

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  raiseRequestLimit();
  nameProcess("nexus-balancer");
  await balance();
  process.exit(0);
} catch (error) {
  printError(messageOf(error));
  process.exit(1);
}
