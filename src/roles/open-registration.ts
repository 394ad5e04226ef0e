import { lookup } from "node:dns/promises";
import { hostname, networkInterfaces } from "node:os";
import type { Config } from "../config/parse-config.ts";
import { formatTimestamp } from "../domain/timestamp.ts";
import { defined } from "../kit/defined.ts";
import { within } from "../kit/within.ts";
import { type HealthOptions, reportHealth } from "../routes/operations/health-routes.ts";
import { RequestLatency } from "../routes/operations/request-latency.ts";
import { Registration, type ServiceIdentity, type ServiceReport } from "../scaling/registry/registration.ts";
import { findServiceAddress, type Machine } from "../scaling/registry/service-address.ts";
import type { ServiceLoad } from "../scaling/registry/service-instance.ts";
import type { OpenRoles } from "./roles.ts";
import type { SharedParts } from "./shared-parts.ts";

/** The registration of this process, and the function to call when it listens. */
export interface OpenRegistration {
  readonly registration: Registration;
  /** @param port that the process listens on */
  readonly onListening: (port: number) => void;
}

/** What the entry of this process shows. */
export interface RegistrationParts {
  /** The parts whose health the entry shows. */
  readonly health: HealthOptions;
  /** The number of WebSockets and of requests in progress; undefined while the process does not listen. */
  readonly clients: () => number | undefined;
}

/** How long the name service may take to find the machine's own address. */
const lookupTimeoutMs = 2000;

/** Makes the service that registers this process. It is not started yet. */
export async function openRegistration(
  { shared, roles }: OpenRoles,
  { health, clients }: RegistrationParts,
): Promise<OpenRegistration> {
  const { config, serviceRegistry: registry, clock, log } = shared;
  const addressAt = await findServiceAddress(config, machineOf(shared));
  const latency = new RequestLatency(shared.registry);
  const isGateway = config.roles.includes("gateway");
  const load = async (): Promise<ServiceLoad> => {
    const ofRoles = await Promise.all(roles.map((role) => role.load()));
    const ofGateway = isGateway ? defined({ clients: clients(), latency_ms_p95: await latency.p95Ms() }) : {};
    return Object.assign({}, shared.loadMeter.read(), ...ofRoles, ofGateway) as ServiceLoad;
  };
  const report = async (): Promise<ServiceReport> => {
    const [state, figures] = await Promise.all([reportHealth(health), load()]);
    return { ...state, load: figures };
  };
  const registration = new Registration({
    registry,
    identity: identityOf(config, shared, health.version),
    address: config.port === 0 ? undefined : addressAt(config.port),
    report,
    clock,
    log,
  });
  return { registration, onListening: (port) => registration.serve(addressAt(port)) };
}

function identityOf(config: Config, { instanceId, clock }: SharedParts, version: string): ServiceIdentity {
  return {
    instance_id: instanceId,
    name: config.instanceName ?? instanceId,
    roles: config.roles,
    host: hostname(),
    pid: process.pid,
    version,
    topic: config.queueTopic,
    cluster_id: config.clusterId,
    started_at: formatTimestamp(Math.round(clock.nowMs() - process.uptime() * 1000)),
  };
}

function machineOf({ clock }: SharedParts): Machine {
  return {
    hostName: hostname(),
    addressesOf: (name) =>
      within(clock, lookupTimeoutMs, async () =>
        (await lookup(name, { all: true })).map(({ address }) => address),
      ).catch(() => []),
    interfaceAddresses: () =>
      Object.values(networkInterfaces()).flatMap((of) => of?.map(({ address }) => address) ?? []),
  };
}
