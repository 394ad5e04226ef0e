import { hostname } from "node:os";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import type { Config } from "../config/parse-config.ts";
import type { EtcdClient } from "../etcd/etcd-client.ts";
import { leaseSignKeys } from "../etcd/lease-signs.ts";
import { openEtcd } from "../etcd/open-etcd.ts";
import type { Clock } from "../kit/clock.ts";
import type { Service } from "../kit/service.ts";
import type { HotTier } from "../pipeline/hot/hot-tier.ts";
import { openHotTier } from "../pipeline/hot/open-hot-tier.ts";
import {
  databaseInstrument,
  lostHistoryCounter,
  lostRecordsCounter,
  pipelineInstruments,
  showDatabaseBytes,
} from "../pipeline/observe/pipeline-instruments.ts";
import { futureRecords } from "../pipeline/observe/future-records.ts";
import { misspelledMetrics } from "../pipeline/observe/misspelled-metrics.ts";
import { fanOut, type PipelineListener } from "../pipeline/observe/pipeline-listener.ts";
import { QueueKeys } from "../pipeline/queue/etcd/queue-keys.ts";
import { EtcdQueue } from "../pipeline/queue/etcd/etcd-queue.ts";
import { MemoryQueue } from "../pipeline/queue/memory/memory-queue.ts";
import type { DeadLetter, Queue } from "../pipeline/queue/queue.ts";
import { EtcdTargetStates } from "../pipeline/source/states/etcd/etcd-target-states.ts";
import { MemoryTargetStates } from "../pipeline/source/states/memory/memory-target-states.ts";
import type { TargetStates } from "../pipeline/source/target-states.ts";
import { DeadLeases } from "../pipeline/upkeep/dead-leases.ts";
import { EtcdHistoryCheck } from "../pipeline/upkeep/etcd-history-check.ts";
import { EtcdUpkeep } from "../pipeline/upkeep/etcd-upkeep.ts";
import { EtcdServiceRegistry } from "../scaling/registry/etcd/etcd-service-registry.ts";
import { LoadMeter } from "../scaling/registry/load-meter.ts";
import { MemoryServiceRegistry } from "../scaling/registry/memory/memory-service-registry.ts";
import type { ServiceRegistry } from "../scaling/registry/service-registry.ts";
import type { BarLine } from "../terminal/bar-line.ts";
import { ImportMonitor } from "../terminal/import-monitor.ts";
import type { Tracing } from "../kit/tracing.ts";
import { openScaling, type ScalingParts } from "./open-scaling.ts";
import type { loadTracing, OpenTracing } from "./open-tracing.ts";
import { SharedStore } from "./shared-store.ts";

/** The parts that the caller gives to a process. */
export interface Surroundings {
  readonly clock: Clock;
  readonly log: Logger;
  /** Prints a report for people. */
  readonly print: (text: string) => void;
  /** Where a progress bar is drawn. */
  readonly terminal: BarLine;
}

/** The parts that the roles of a process share. The configuration chooses each driver. No service is started yet. */
export interface SharedParts extends Surroundings {
  readonly config: Config;
  /** Identifies this process in the cluster: the host's name, the process's id and four random characters. */
  readonly instanceId: string;
  /** Undefined if the process keeps queue and hot tier in memory. */
  readonly etcd: EtcdClient | undefined;
  readonly queue: Queue;
  readonly store: SharedStore;
  readonly hotTier: HotTier;
  /** False if no process writes to the hot tier that this one reads. */
  readonly isHotTierWritten: boolean;
  /** The running processes of the pipeline; without etcd, only this one. */
  readonly serviceRegistry: ServiceRegistry;
  /** What the streamers say about the exporters that they scrape; without etcd, only this process. */
  readonly targetStates: TargetStates;
  readonly loadMeter: LoadMeter;
  readonly scaling: ScalingParts;
  readonly listener: PipelineListener;
  readonly tracing: Tracing;
  readonly registry: Registry;
  /** Services that belong to no single role. */
  readonly services: readonly Service[];
  /** Shows the import of a file. */
  readonly monitor: Pick<ImportMonitor, "suggest" | "stop">;
  /** Closes the queue, etcd's client and the store. Call it after the services have stopped. */
  close(): Promise<void>;
}

type Closing = Pick<SharedParts, "queue" | "etcd" | "store"> & { readonly traces: Pick<OpenTracing, "close"> };

/** What the roles of a process determine. */
interface RoleNeeds {
  /** Whether one of the roles writes to the hot tier. */
  readonly writesHotTier: boolean;
  readonly openTracing: Awaited<ReturnType<typeof loadTracing>>;
}

/** Opens the parts that the roles of a process share. The store stays closed until a role needs it.
 *  @throws the errors of `openEtcd` */
export function openSharedParts(
  config: Config,
  surroundings: Surroundings,
  { writesHotTier, openTracing }: RoleNeeds,
): SharedParts {
  const { clock, log, print, terminal } = surroundings;
  const { queueTopic: topic, hotWindowSeconds: windowSeconds, collectorWorkers: writers } = config;
  // in containers, several processes of one host name may have one id
  const instanceId = `${hostname()}:${process.pid}:${crypto.randomUUID().slice(0, 4)}`;
  const etcd = openEtcd(config);
  const registry = new Registry();
  const queue = openQueue(config, etcd, { ...surroundings, countLost: lostRecordsCounter(registry) });
  const store = new SharedStore(config, { clock, log, onChange: databaseInstrument(registry) });
  const monitor = new ImportMonitor({ clock, log, print, terminal, queue, store: () => store.current?.store });
  const loadMeter = new LoadMeter({ roles: config.roles });
  const traces = openTracing({ instanceId, registry, clock, log });
  if (etcd !== undefined) showDatabaseBytes(etcd, registry);
  return {
    ...{ clock, log, print, terminal },
    config,
    instanceId,
    etcd,
    queue,
    store,
    hotTier: openHotTier({ etcd, topic, writers, windowSeconds, clock, log, registry }),
    isHotTierWritten: etcd !== undefined || writesHotTier,
    serviceRegistry: openServiceRegistry(config, etcd, surroundings),
    targetStates: openTargetStates(config, etcd, { clock, instanceId }),
    loadMeter,
    scaling: openScaling(config, etcd, { instanceId, clock }),
    listener: fanOut([
      ...[pipelineInstruments(registry), misspelledMetrics({ registry, log }), futureRecords({ registry, log, clock })],
      ...[monitor.listener(), loadMeter.listener],
    ]),
    tracing: traces.tracing,
    registry,
    services: etcdServices(config, etcd, { clock, log, instanceId, registry }),
    monitor,
    close: () => closeAll({ queue, etcd, store, traces }),
  };
}

/** Call it after the services have stopped: every span has ended. */
async function closeAll({ queue, etcd, store, traces }: Closing): Promise<void> {
  const closing = traces.close();
  await queue.close();
  etcd?.close();
  await store.close();
  await closing;
}

function openQueue(
  config: Config,
  client: EtcdClient | undefined,
  { clock, log, countLost }: Surroundings & { readonly countLost: (records: number) => void },
): Queue {
  const options = {
    topic: config.queueTopic,
    clock,
    capacityMessages: config.queueCapacityMessages,
    leaseSeconds: config.queueLeaseSeconds,
    maxAttempts: config.queueMaxAttempts,
    maxDeadLetters: config.queueMaxDeadLetters,
    onLost: ({ envelope, lastError }: DeadLetter): void => {
      countLost(envelope.count);
      const { id, source, count } = envelope;
      const text = `a dead letter was deleted with its ${count} record(s), because there are more than QUEUE_MAX_DEAD_LETTERS (${config.queueMaxDeadLetters})`;
      log.error({ message: id, source, error: lastError }, text);
    },
  };
  return client === undefined ? new MemoryQueue(options) : new EtcdQueue({ ...options, client, log });
}

function openServiceRegistry(config: Config, client: EtcdClient | undefined, parts: Surroundings): ServiceRegistry {
  const { queueTopic: topic, serviceLeaseSeconds: leaseSeconds } = config;
  return client === undefined
    ? new MemoryServiceRegistry(parts.clock)
    : new EtcdServiceRegistry({ ...parts, client, topic, leaseSeconds });
}

function openTargetStates(
  { queueTopic: topic, serviceLeaseSeconds: leaseSeconds }: Config,
  client: EtcdClient | undefined,
  { clock, instanceId }: Pick<SharedParts, "clock" | "instanceId">,
): TargetStates {
  return client === undefined
    ? new MemoryTargetStates(clock)
    : new EtcdTargetStates({ client, clock, topic, instanceId, leaseSeconds });
}

/** The service that compacts etcd's history, unless that is left to etcd, the one that notices when etcd has lost it, and the one that
 *  ends leases of dead processes; none without etcd. */
function etcdServices(
  { etcdCompactSeconds: historySeconds, queueTopic: topic, queueLeaseSeconds }: Config,
  client: EtcdClient | undefined,
  parts: Pick<SharedParts, "clock" | "log" | "instanceId" | "registry">,
): Service[] {
  if (client === undefined) return [];
  const onLost = lostHistoryCounter(parts.registry);
  return [
    ...(historySeconds === 0 ? [] : [new EtcdUpkeep({ ...parts, client, historySeconds })]),
    new EtcdHistoryCheck({ ...parts, client, markKey: new QueueKeys(topic).history, onLost }),
    new DeadLeases({ ...parts, client, keys: leaseSignKeys(topic), everyMs: (queueLeaseSeconds * 1000) / 3 }),
  ];
}
