import { afterAll, beforeAll } from "bun:test";
import pino from "pino";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { Queue } from "../../src/pipeline/queue/queue.ts";
import { SimulatedSource } from "../../src/pipeline/source/simulated/simulated-source.ts";
import type { OpenStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { EtcdAssignment } from "../../src/pipeline/stream/assignment/etcd-assignment.ts";
import { LocalAssignment } from "../../src/pipeline/stream/assignment/local-assignment.ts";
import type { RangeAssignment } from "../../src/pipeline/stream/assignment/range-assignment.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { Streamer } from "../../src/pipeline/stream/streamer.ts";
import { EtcdUpkeep } from "../../src/pipeline/upkeep/etcd-upkeep.ts";
import { HistoryUpkeep } from "../../src/pipeline/upkeep/history-upkeep.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { counted, exerciseService, type OpenedService } from "../contract/service.ts";
import { openMemoryStore } from "../support/open-store.ts";

// Every service of the program over real parts: embedded store, real etcd, both queues and hot tiers.

const log = pino({ level: "silent" });
const queueOptions = { clock, log, capacityMessages: 1000, leaseSeconds: 5, maxAttempts: 3 };
let cluster: EtcdCluster;
let client: EtcdClient;
let opened: OpenStore;
let etcdQueue: EtcdQueue;

beforeAll(async () => {
  cluster = await startEtcd({ members: 1 });
  client = new EtcdClient({ endpoints: cluster.endpoints });
  opened = await openMemoryStore();
  etcdQueue = new EtcdQueue({ ...queueOptions, client, topic: "life" });
}, 300_000);

afterAll(async () => {
  await etcdQueue.close();
  client.close();
  await cluster.stop();
  await opened.close();
});

const memoryHotTier = (): MemoryHotTier => new MemoryHotTier({ onCoalesced: () => undefined });
const memoryQueue = (): MemoryQueue => new MemoryQueue({ ...queueOptions, topic: "life" });

function openCollector(queueInUse: Queue, drainOnStop: boolean): OpenedService {
  const { part: queue, calls } = counted(queueInUse);
  const service = new Collector({
    ...{ consumerId: "one", queue, store: opened.store, hotTier: memoryHotTier(), workers: 3, leaseSeconds: 5 },
    ...{ drainOnStop, clock, listener, log },
  });
  return { service, calls };
}

function openStreamer(queueInUse: Queue, ranges: RangeAssignment): OpenedService {
  const { part: queue, calls } = counted(queueInUse);
  const fleet = { hosts: 2, gpusPerHost: 2, seed: 1, intervalMs: 20, clusterId: crypto.randomUUID() };
  const service = new Streamer({
    openSource: () => Promise.resolve(new SimulatedSource({ ...fleet, clock, batchSize: 100 })),
    ...{ queue, ranges, intervalMs: 0, messageMaxBytes: 1_000_000, clock, listener, log },
    bucket: new TokenBucket({ ratePerSecond: 0, burst: 1, clock }),
    backPressure: new BackPressure({ lowMessages: 500, highMessages: 900, clock }),
  });
  return { service, calls };
}

exerciseService("a collector on the queue in memory", () => openCollector(memoryQueue(), true));
exerciseService("a collector on the queue in etcd", () => openCollector(etcdQueue, false));
exerciseService("a streamer alone with its store", () =>
  openStreamer(memoryQueue(), new LocalAssignment(opened.store)),
);
exerciseService("a streamer that shares its source through etcd", () => {
  const options = { streamerId: crypto.randomUUID(), leaseSeconds: 5, rangeBytes: 1_000_000 };
  return openStreamer(memoryQueue(), new EtcdAssignment({ ...options, client, clock, log }));
});
exerciseService("etcd's upkeep", () => {
  const { part, calls } = counted(client);
  const options = { instanceId: crypto.randomUUID(), historySeconds: 60 };
  return { service: new EtcdUpkeep({ ...options, client: part, clock, log }), calls };
});
exerciseService("the history's upkeep", () => {
  const { part: retention, calls } = counted(opened.retention);
  const keepDays = { raw: 1, "1m": 2, "1h": 3 };
  return { service: new HistoryUpkeep({ retention, keepDays, clock, log }), calls };
});
exerciseService("the fleet beside the hot tier in memory", () => {
  const { part: store, calls } = counted(opened.queries);
  return { service: new FleetProjection({ hotTier: memoryHotTier(), store, rereadMs: 5, clock, log }), calls };
});
exerciseService("the fleet beside the hot tier in etcd", () => {
  const { part: store, calls } = counted(opened.queries);
  const noCount = { onCoalesced: () => undefined, onRefused: () => undefined };
  const hotTier = new EtcdHotTier({ client, clock, windowSeconds: 60, ...noCount });
  return { service: new FleetProjection({ hotTier, store, clock, log }), calls };
});
