import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ClientCertificate } from "../../../dev/servers/certificates.ts";
import { type EtcdCluster, startEtcd } from "../../../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../../../dev/servers/postgres.ts";
import { freePorts } from "../../../dev/servers/free-ports.ts";
import { etcdOptions } from "../../../src/etcd/open-etcd.ts";
import type { EtcdClientOptions } from "../../../src/etcd/etcd-endpoint.ts";
import { defined } from "../../../src/kit/defined.ts";
import { makeNetwork, type TestHost, type TestNetwork } from "./network.ts";
import { Worker } from "./workers.ts";

/** A user of etcd, whose tokens expire while a run lasts. */
const etcdUser = { name: "pipeline", password: "a password of etcd" } as const;
const tokenSeconds = 2;
type EtcdUser = typeof etcdUser;

/** The servers that all runs share, and the network they are on. */
export interface Servers {
  readonly etcd: EtcdCluster;
  /** Undefined if etcd demands none. */
  readonly etcdUser: EtcdUser | undefined;
  readonly database: PostgresServer;
  /** Undefined if this machine cannot create one. */
  readonly network: TestNetwork | undefined;
  /** The hosts of the etcd members, in the order of the members; empty without a network. */
  readonly etcdHosts: readonly TestHost[];
  /** The hosts of the collectors, in the order of the collectors; empty without a network. */
  readonly collectorHosts: readonly TestHost[];
  /** The hosts of the streamers of scrapes, in their order; empty without a network. */
  readonly streamerHosts: readonly TestHost[];
  /** The port of each collector, for its /health. */
  readonly collectorPorts: readonly number[];
  stop(): Promise<void>;
}

export const etcdMembers = 3;
export const collectors = 3;
export const streamers = 2;
export const coordinators = 2;

/** Longer than leases and backoffs last: a run in which nothing changes for this time, after the last fault has healed, is
 *  stuck. */
export const stallMs = 45_000;

/** Sizes of the server's disks. A run's database takes about 20 MiB; the server itself takes 40 MiB plus its write-ahead log. */
const diskBytes = { cluster: 256 * 1024 ** 2, tables: 128 * 1024 ** 2 };

interface ServersOptions {
  /** The number of streamers that get a host of their own. */
  readonly streamerHosts?: number;
  /** True: etcd demands a user. */
  readonly authenticates?: boolean;
  /** True: servers and clients show certificates to each other, and all are on this machine. */
  readonly tls?: boolean;
}

/** Starts three members of etcd, and one PostgreSQL on small disks. Each member and each collector gets a host of its own if this
 *  machine allows it. */
export async function startServers({
  streamerHosts = 0,
  authenticates = false,
  tls = false,
}: ServersOptions = {}): Promise<Servers> {
  // with TLS, etcd needs a name, and the hosts have only addresses
  const network = tls ? undefined : await makeNetwork(etcdMembers + collectors + streamerHosts);
  const hosts = network?.hosts ?? [];
  const etcdHosts = hosts.slice(0, etcdMembers);
  const etcd = await startEtcd({
    ...{ members: etcdMembers, tls },
    ...(authenticates && { user: etcdUser, tokenSeconds }),
    memberOptions: (index) => {
      const host = etcdHosts[index];
      return host === undefined ? {} : { host: host.address, netns: host.netns };
    },
  });
  const database = await startPostgres({ diskBytes, tls, ...(network && { host: network.address }) });
  const collectorPorts = await freePorts(collectors);
  const stop = async (): Promise<void> => {
    await Promise.all([etcd.stop(), database.stop()]);
    await network?.remove();
  };
  const collectorHosts = hosts.slice(etcdMembers, etcdMembers + collectors);
  const others = hosts.slice(etcdMembers + collectors);
  const user = authenticates ? etcdUser : undefined;
  return {
    ...{ etcd, etcdUser: user, database, network, etcdHosts, collectorHosts, streamerHosts: others, collectorPorts },
    stop,
  };
}

/** Starts one member of etcd and one PostgreSQL, on this machine's own disk and network. */
export async function startPlainServers(): Promise<Servers> {
  const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  const stop = async (): Promise<void> => void (await Promise.all([etcd.stop(), database.stop()]));
  const noHosts = { network: undefined, etcdHosts: [], collectorHosts: [], streamerHosts: [], collectorPorts: [] };
  return { etcd, etcdUser: undefined, database, ...noHosts, stop };
}

export interface PipelineOptions {
  readonly servers: Servers;
  readonly topic: string;
  readonly databaseUrl: string;
  readonly csvFile: string;
  readonly leaseSeconds: number;
  readonly samplesPerSecond: number;
  readonly logFolder: string;
  readonly onAcknowledged: (claim: string) => void;
  /** True: history is settled at once, so that most records are late for a settled hour. */
  readonly settles?: boolean;
  /** The folder of an earlier version, with which the processes begin; absent: they are of this checkout. */
  readonly olderCheckout?: string | undefined;
}

const filesOf = ({ caFile, certFile, keyFile }: ClientCertificate) => ({
  ...{ ETCD_CA_FILE: caFile, ETCD_CERT_FILE: certFile, ETCD_KEY_FILE: keyFile },
});

/** The options of a client of the harness, which may be of some members only. */
export function clientOptions({ etcd, etcdUser }: Servers, members = etcd.members): EtcdClientOptions {
  const { caFile, certFile, keyFile } = etcd.tls ?? {};
  return etcdOptions({
    etcdEndpoints: members.map(({ clientUrl }) => clientUrl),
    ...defined({ etcdCaFile: caFile, etcdCertFile: certFile, etcdKeyFile: keyFile }),
    ...defined({ etcdUsername: etcdUser?.name, etcdPassword: etcdUser?.password }),
  });
}

/** The settings of every process of a pipeline. Its topic is also the name of its cluster. */
export function pipelineEnvironment({
  servers,
  topic,
  leaseSeconds,
  settles = false,
}: Pick<PipelineOptions, "servers" | "topic" | "leaseSeconds" | "settles">): Record<string, string> {
  return {
    ETCD_ENDPOINTS: servers.etcd.endpoints.join(","),
    ...(servers.etcd.tls && filesOf(servers.etcd.tls)),
    ...(servers.etcdUser && { ETCD_USERNAME: servers.etcdUser.name, ETCD_PASSWORD: servers.etcdUser.password }),
    QUEUE_TOPIC: topic,
    CLUSTER_ID: topic,
    // longer than a run: the newest state is checked at the end of the run
    HOT_WINDOW_SECONDS: "600",
    QUEUE_LEASE_SECONDS: String(leaseSeconds),
    SHUTDOWN_TIMEOUT_SECONDS: "5",
    ...(settles ? { SETTLE_HISTORY: "true", SETTLE_AFTER_MINUTES: "0" } : {}),
    LOG_LEVEL: "debug",
  };
}

/** The URL of a run's database for the pipeline's processes: a call ends after 12 s, so that faults can last longer than a call. */
export const withShortLimit = (databaseUrl: string): string =>
  `${databaseUrl}${databaseUrl.includes("?") ? "&" : "?"}statement_timeout=2s`;

/** The settings of a streamer of the run's file. */
export function streamingEnvironment({
  csvFile,
  samplesPerSecond,
}: Pick<PipelineOptions, "csvFile" | "samplesPerSecond">): Record<string, string> {
  return {
    CSV_FILE: csvFile,
    SOURCE_RANGE_MIB: "1",
    BATCH_SIZE: "200",
    RATE_LIMIT_SAMPLES_PER_SECOND: String(samplesPerSecond),
  };
}

/** What the collectors of a run are made from. */
export type CollectorsOptions = Omit<PipelineOptions, "csvFile" | "samplesPerSecond">;

/** Makes a process of a run's pipeline, without starting it. */
export function makeWorker(
  options: CollectorsOptions,
  { name, env, host }: { readonly name: string; readonly env: Record<string, string>; readonly host?: TestHost },
): Worker {
  mkdirSync(options.logFolder, { recursive: true });
  return new Worker({
    name,
    host,
    env: { ...pipelineEnvironment(options), ...env },
    logFile: join(options.logFolder, `${name}.log`),
    onLine: (line) => reportAcknowledged(line, options.onAcknowledged),
    checkout: options.olderCheckout,
  });
}

/** Makes the collectors of a run, without starting them. */
export function makeCollectors(options: CollectorsOptions): Worker[] {
  const { servers, databaseUrl } = options;
  return Array.from({ length: collectors }, (_, index) => {
    const host = servers.collectorHosts[index];
    const env = {
      ROLE: "collector",
      DATABASE_URL: withShortLimit(databaseUrl),
      HOST: host?.address ?? "127.0.0.1",
      AUTH: "off",
      PORT: String(servers.collectorPorts[index]),
    };
    return makeWorker(options, { name: `collector-${index}`, env, ...(host && { host }) });
  });
}

/** Makes the pipeline's processes for a run, without starting them. */
export function makePipeline(options: PipelineOptions): { streamers: Worker[]; collectors: Worker[] } {
  const env = { ROLE: "streamer", ...streamingEnvironment(options) };
  return {
    streamers: Array.from({ length: streamers }, (_, index) => makeWorker(options, { name: `streamer-${index}`, env })),
    collectors: makeCollectors(options),
  };
}

/** Reports the claim of an acknowledgement, if the line of a log is about one. */
export function reportAcknowledged(line: string, onAcknowledged: (claim: string) => void): void {
  if (!line.includes('"msg":"acknowledged"')) return;
  const { claim } = JSON.parse(line) as { claim: string };
  onAcknowledged(claim);
}
