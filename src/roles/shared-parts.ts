import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import type { Config } from "../config/parse-config.ts";
import type { Clock } from "../kit/clock.ts";
import { InvalidConfig } from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";
import { EtcdClient } from "../etcd/etcd-client.ts";
import { BackPressure } from "../pipeline/stream/back-pressure.ts";
import { Collector } from "../pipeline/collect/collector.ts";
import { EtcdUpkeep } from "../pipeline/upkeep/etcd-upkeep.ts";
import { openFleet } from "../routes/fleet/open-fleet.ts";
import type { Fleet } from "../routes/fleet/fleet.ts";
import type { HotTier } from "../pipeline/hot/hot-tier.ts";
import { openHotTier } from "../pipeline/hot/open-hot-tier.ts";
import { fanOut, type PipelineListener } from "../pipeline/observe/pipeline-listener.ts";
import { pipelineInstruments, showDatabaseBytes } from "../pipeline/observe/pipeline-instruments.ts";
import { payloadMaxBytes } from "../pipeline/queue/etcd/publisher.ts";
import { EtcdQueue } from "../pipeline/queue/etcd/etcd-queue.ts";
import { MemoryQueue } from "../pipeline/queue/memory/memory-queue.ts";
import type { DeadLetters, Queue } from "../pipeline/queue/queue.ts";
import { EtcdAssignment } from "../pipeline/stream/assignment/etcd-assignment.ts";
import { EtcdRounds } from "../pipeline/source/csv/etcd-rounds.ts";
import type { RangeAssignment } from "../pipeline/stream/assignment/range-assignment.ts";
import { LocalAssignment } from "../pipeline/stream/assignment/local-assignment.ts";
import type { Service } from "../kit/service.ts";
import { sourceOpener } from "./open-source.ts";
import type { Source } from "../pipeline/source/source.ts";
import { openLateStore } from "../pipeline/store/sql/open-late-store.ts";
import { type OpenStore, openPGliteStore } from "../pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../pipeline/store/sql/open-postgres-store.ts";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import type { TelemetryStore } from "../pipeline/store/telemetry-store.ts";
import { HistoryUpkeep } from "../pipeline/upkeep/history-upkeep.ts";
import { showPace } from "../pipeline/stream/pace-instrument.ts";
import { Streamer } from "../pipeline/stream/streamer.ts";
import { TokenBucket } from "../kit/token-bucket.ts";
import { ImportMonitor } from "../terminal/import-monitor.ts";

/** What a process is made of: every driver chosen, nothing started. */
export interface Parts {
  /** Undefined in a process that neither stores nor reads: a streamer beside an etcd. */
  readonly store: TelemetryStore | undefined;
  readonly queries: TelemetryQueries | undefined;
  /** Undefined in a process that is no gateway. */
  readonly fleet: Fleet | undefined;
  readonly queue: Queue;
  readonly deadLetters: DeadLetters;
  /** In the order of starting. */
  readonly services: readonly Service[];
  readonly registry: Registry;
  /** What is streamed, for people; undefined where this process streams nothing. */
  readonly sourceDescription: string | undefined;
  /** What the store's database is, for people; undefined while it was not reached. */
  readonly engine: () => string | undefined;
  /** Where the data is, for people. */
  readonly storeDescription: string | undefined;
  /** Closes queue and store, after the services were stopped. */
  close(): Promise<void>;
}

interface Surroundings {
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes reports for people. */
  readonly print: (text: string) => void;
  /** Where a progress bar is drawn. */
  readonly terminal: NodeJS.WriteStream;
}

/** Chooses each driver by the configuration; the only place that makes one.
 *  @throws UnusableSource, DataDirUnusable, StoreUnavailable, before anything runs */
export async function makeParts(config: Config, surroundings: Surroundings): Promise<Parts> {
  const { clock, log } = surroundings;
  const etcd = config.etcdEndpoints === undefined ? undefined : openEtcd(config, config.etcdEndpoints);
  const rounds = etcd === undefined ? undefined : new EtcdRounds(etcd, clock);
  const openSource = sourceOpener(config, { clock, log, rounds });
  const firstSource = config.roles.includes("streamer") ? await openSource(0) : undefined;
  const opened = await openStore(config, etcd !== undefined, surroundings);
  const queue = etcd === undefined ? memoryQueue(config, clock) : etcdQueue(config, etcd, surroundings);
  const registry = new Registry();
  const monitor = new ImportMonitor({ ...surroundings, queue, store: opened?.store });
  const listener = fanOut([pipelineInstruments(registry), monitor.listener()]);
  const { hotTier, fleet } = makeHot(config, { ...surroundings, etcd, queries: opened?.queries, registry });
  const parts = { ...surroundings, queue, listener, etcd, registry, hotTier };
  if (etcd !== undefined) showDatabaseBytes(etcd, registry);
  const services: Service[] = fleet === undefined ? [] : [fleet];
  if (etcd !== undefined && config.etcdCompactSeconds > 0) services.push(upkeep(config, etcd, surroundings));
  if (config.roles.includes("collector") && opened !== undefined) {
    services.push(makeCollector(config, { ...parts, store: opened.store }), ...historyUpkeep(config, opened, parts));
  }
  if (firstSource !== undefined) {
    const source = { first: firstSource, open: openSource };
    services.push(makeStreamer(config, { ...parts, store: opened?.store }, source));
  }
  return {
    store: opened?.store,
    queries: opened?.queries,
    fleet,
    queue,
    deadLetters: queue instanceof EtcdQueue ? queue.deadLetters : queue,
    services,
    registry,
    sourceDescription: firstSource?.description,
    engine: () => opened?.engine(),
    storeDescription: opened?.description,
    close: () => close(queue, etcd, opened),
  };
}

async function close(queue: Queue, etcd: EtcdClient | undefined, opened: OpenStore | undefined): Promise<void> {
  await queue.close();
  etcd?.close();
  await opened?.close();
}

/** A process that only streams into etcd needs no store; a gateway can serve the fleet before the store answers. */
async function openStore(config: Config, hasEtcd: boolean, parts: Surroundings): Promise<OpenStore | undefined> {
  if (hasEtcd && config.roles.every((role) => role === "streamer")) return undefined;
  const { databaseUrl: url, dataDir, migrateOnStart: migrate, collectorWorkers, queryTimeoutSeconds } = config;
  if (url === undefined) return openPGliteStore({ dataDir });
  const open = async (): Promise<OpenStore> => {
    // one more than the workers, for health
    const opened = await openPostgresStore({ url, migrate, maxConnections: collectorWorkers + 1, queryTimeoutSeconds });
    parts.log.info(opened.engine());
    return opened;
  };
  const isGateway = config.roles.every((role) => role === "gateway");
  return hasEtcd && isGateway ? openLateStore({ ...parts, open }) : open();
}

function openEtcd(config: Config, endpoints: readonly string[]): EtcdClient {
  const { etcdCaFile, etcdCertFile, etcdKeyFile, etcdUsername, etcdPassword } = config;
  const pem = (file: string | undefined): Buffer | undefined => (file === undefined ? undefined : readPem(file));
  const authority = pem(etcdCaFile);
  return new EtcdClient({
    endpoints,
    tls: authority === undefined ? undefined : { authority, certificate: pem(etcdCertFile), key: pem(etcdKeyFile) },
    user:
      etcdUsername === undefined || etcdPassword === undefined
        ? undefined
        : { name: etcdUsername, password: etcdPassword },
  });
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new InvalidConfig([
      `${file} cannot be read (ETCD_CA_FILE, ETCD_CERT_FILE, ETCD_KEY_FILE): ${messageOf(cause)}`,
    ]);
  }
}

function memoryQueue(config: Config, clock: Clock): MemoryQueue {
  return new MemoryQueue({
    topic: config.queueTopic,
    clock,
    capacityMessages: config.queueCapacityMessages,
    leaseSeconds: config.queueLeaseSeconds,
    maxAttempts: config.queueMaxAttempts,
  });
}

function etcdQueue(config: Config, client: EtcdClient, { clock, log }: Surroundings): EtcdQueue {
  return new EtcdQueue({
    client,
    topic: config.queueTopic,
    clock,
    capacityMessages: config.queueCapacityMessages,
    leaseSeconds: config.queueLeaseSeconds,
    maxAttempts: config.queueMaxAttempts,
    log,
  });
}

function upkeep(config: Config, client: EtcdClient, { clock, log }: Surroundings): EtcdUpkeep {
  return new EtcdUpkeep({ client, clock, instanceId, historySeconds: config.etcdCompactSeconds, log });
}

/** This process's name among the others: unique on its host and, with the host's name, in the cluster. */
const instanceId = `${hostname()}:${process.pid}`;

function makeHot(
  config: Config,
  parts: Surroundings & {
    readonly etcd: EtcdClient | undefined;
    readonly queries: TelemetryQueries | undefined;
    readonly registry: Registry;
  },
): { readonly hotTier: HotTier; readonly fleet: (Fleet & Service) | undefined } {
  const { etcd, queries } = parts;
  const hotTier = openHotTier({ ...parts, windowSeconds: config.hotWindowSeconds });
  if (!config.roles.includes("gateway") || queries === undefined) return { hotTier, fleet: undefined };
  const isTold = etcd !== undefined || config.roles.includes("collector");
  return { hotTier, fleet: openFleet({ ...parts, queries, hotTier, isTold }) };
}

interface PipelineParts extends Surroundings {
  readonly hotTier: HotTier;
  readonly queue: Queue;
  readonly listener: PipelineListener;
  readonly etcd: EtcdClient | undefined;
  readonly registry: Registry;
}

function makeCollector(config: Config, parts: PipelineParts & { readonly store: TelemetryStore }): Collector {
  return new Collector({
    ...parts,
    consumerId: instanceId,
    workers: config.collectorWorkers,
    leaseSeconds: config.queueLeaseSeconds,
    drainOnStop: parts.etcd === undefined,
  });
}

/** None where nothing is ever deleted. */
function historyUpkeep(config: Config, { retention }: OpenStore, { clock, log }: Surroundings): HistoryUpkeep[] {
  const keepDays = { raw: config.retentionRawDays, "1m": config.retention1mDays, "1h": config.retention1hDays };
  const isDeleting = Object.values(keepDays).some((days) => days > 0);
  return isDeleting ? [new HistoryUpkeep({ retention, keepDays, clock, log })] : [];
}

interface Sources {
  readonly first: Source;
  readonly open: (round: number) => Promise<Source>;
}

function makeStreamer(
  config: Config,
  parts: PipelineParts & { readonly store: TelemetryStore | undefined },
  sources: Sources,
): Streamer {
  const { clock, registry } = parts;
  const { rateLimitSamplesPerSecond: ratePerSecond, queueCapacityMessages: capacity } = config;
  const backPressure = new BackPressure({
    lowMessages: (capacity * config.queueLowMarkPercent) / 100,
    highMessages: (capacity * config.queueHighMarkPercent) / 100,
    clock,
  });
  showPace(backPressure, registry);
  return new Streamer({
    ...parts,
    openSource: async (round) => {
      if (round === 0) return sources.first;
      return config.loopMode ? sources.open(round) : undefined;
    },
    ranges: makeRanges(config, parts),
    bucket: new TokenBucket({ ratePerSecond, burst: Math.max(ratePerSecond, config.batchSize), clock }),
    backPressure,
    intervalMs: config.csvFile === undefined ? 0 : config.streamIntervalMs,
    messageMaxBytes: parts.etcd === undefined ? Infinity : payloadMaxBytes,
  });
}

function makeRanges(
  config: Config,
  { etcd, store, clock, log }: PipelineParts & { readonly store: TelemetryStore | undefined },
): RangeAssignment {
  if (etcd !== undefined) {
    return new EtcdAssignment({
      client: etcd,
      clock,
      log,
      streamerId: instanceId,
      leaseSeconds: config.queueLeaseSeconds,
      rangeBytes: config.sourceRangeMebibytes * 1024 * 1024,
    });
  }
  if (store === undefined) throw new InvalidConfig(["a streamer without ETCD_ENDPOINTS needs a store beside it"]);
  return new LocalAssignment(store);
}
