import { afterAll, beforeAll } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pino from "pino";
import { Registry } from "prom-client";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { AuditLog } from "../../src/access/audit-log.ts";
import { SqlAuditStore } from "../../src/access/sql/sql-audit-store.ts";
import { mappingFile } from "../../src/access/file/mapping-file.ts";
import { MappedCallers } from "../../src/access/mapped-callers.ts";
import { Provider } from "../../src/access/oidc/provider.ts";
import { Sessions } from "../../src/access/sessions.ts";
import { SqlSessionStore } from "../../src/access/sql/sql-session-store.ts";
import { KeyDirectory } from "../../src/access/key-directory.ts";
import { OpenDoor } from "../../src/access/open-door.ts";
import { SqlKeyStore } from "../../src/access/sql/sql-key-store.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { defaultClusterId, defaultTopic } from "../../src/domain/default-names.ts";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { HostNames } from "../../src/kit/host-names.ts";
import type { LastEvaluation } from "../../src/faults/last-evaluation.ts";
import { EvaluationWatch } from "../../src/routes/answers/faults/evaluation-watch.ts";
import { DamagedHistory } from "../../src/routes/answers/costs/damaged-history.ts";
import { QueryPressure } from "../../src/routes/answers/costs/query-pressure.ts";
import { StoreCheck } from "../../src/roles/store-check.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { leaseSignKeys } from "../../src/etcd/lease-signs.ts";
import type { Queue } from "../../src/pipeline/queue/queue.ts";
import type { CsvSource } from "../../src/pipeline/source/csv/csv-source.ts";
import { TargetReporter } from "../../src/pipeline/source/states/target-reporter.ts";
import { SimulatedSource } from "../../src/pipeline/source/simulated/simulated-source.ts";
import { EtcdTargetStates } from "../../src/pipeline/source/states/etcd/etcd-target-states.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { EtcdOldPositions } from "../../src/pipeline/stream/assignment/etcd-old-positions.ts";
import { EtcdAssignment } from "../../src/pipeline/stream/assignment/etcd-assignment.ts";
import { EtcdLiveAssignment } from "../../src/pipeline/stream/assignment/etcd-live-assignment.ts";
import type { LiveAssignment } from "../../src/pipeline/stream/assignment/live-assignment.ts";
import { LocalLiveAssignment } from "../../src/pipeline/stream/assignment/local-live-assignment.ts";
import { LocalAssignment } from "../../src/pipeline/stream/assignment/local-assignment.ts";
import type { RangeAssignment } from "../../src/pipeline/stream/assignment/range-assignment.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { BatchPublisher } from "../../src/pipeline/stream/batch-publisher.ts";
import { LiveStream } from "../../src/pipeline/stream/live-stream.ts";
import { ReplayStream } from "../../src/pipeline/stream/replay-stream.ts";
import type { SourceStream } from "../../src/pipeline/stream/source-stream.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { Streamer } from "../../src/pipeline/stream/streamer.ts";
import { DeadLeases } from "../../src/pipeline/upkeep/dead-leases.ts";
import { EtcdHistoryCheck } from "../../src/pipeline/upkeep/etcd-history-check.ts";
import { EtcdUpkeep } from "../../src/pipeline/upkeep/etcd-upkeep.ts";
import { PositionUpkeep } from "../../src/pipeline/stream/position-upkeep.ts";
import { DiskUpkeep } from "../../src/pipeline/upkeep/disk-upkeep.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep } from "../../src/pipeline/upkeep/archive-upkeep.ts";
import { SettleUpkeep } from "../../src/pipeline/upkeep/settle-upkeep.ts";
import { HistoryUpkeep } from "../../src/pipeline/upkeep/history-upkeep.ts";
import { InventoryUpkeep } from "../../src/pipeline/upkeep/inventory-upkeep.ts";
import { MessageUpkeep } from "../../src/pipeline/upkeep/message-upkeep.ts";
import type { UploadTidying } from "../../src/pipeline/store/upload-store.ts";
import { SqlUploadStore } from "../../src/pipeline/store/sql/sql-upload-store.ts";
import { UploadUpkeep } from "../../src/pipeline/upkeep/upload-upkeep.ts";
import { Backends, type WatchEntries } from "../../src/scaling/balancer/backends.ts";
import { Balancer } from "../../src/scaling/balancer/balancer.ts";
import { EtcdServiceRegistry } from "../../src/scaling/registry/etcd/etcd-service-registry.ts";
import { Registration, type ServiceReport } from "../../src/scaling/registry/registration.ts";
import { FaultEvaluation } from "../../src/faults/leader/fault-evaluation.ts";
import { FaultInstruments } from "../../src/faults/leader/fault-instruments.ts";
import { Webhook } from "../../src/faults/notify/webhook.ts";
import { RulesInForce } from "../../src/faults/rules/rules-in-force.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { FleetStates } from "../../src/routes/fleet/fleet-states.ts";
import { Coordinator } from "../../src/scaling/coordinator/coordinator.ts";
import { EtcdScalingRecords } from "../../src/scaling/coordinator/etcd/etcd-scaling-records.ts";
import { ScalingKeys } from "../../src/scaling/coordinator/etcd/scaling-keys.ts";
import { defaultPolicy } from "../../src/scaling/coordinator/policy.ts";
import { ScalingInstruments } from "../../src/scaling/coordinator/scaling-instruments.ts";
import { EtcdLeaderElection } from "../../src/scaling/election/etcd/etcd-leader-election.ts";
import { NoExecutor } from "../../src/scaling/executor/none/no-executor.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { TlsCertificate } from "../../src/tls/tls-certificate.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { counted, exerciseService, type OpenedService } from "../contract/service.ts";
import { stateOf } from "../contract/target-states.ts";
import { CsvFolder, manyRows, openCsvSource } from "../support/csv-reading.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { openssl, TestAuthority } from "../tls/test-authority.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// Exercises every service of the program with real parts: the embedded store, a real etcd, both queues and both hot tiers.

const log = unshownLog();
const queueOptions = { clock, log, capacityMessages: 1000, leaseSeconds: 5, maxAttempts: 3 };
const faultRules = await RulesInForce.open(undefined, log);
const folder = new CsvFolder();
const csvFile = folder.write(manyRows(200));
let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;
let opened: OpenStore;
let etcdQueue: EtcdQueue;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `services-${crypto.randomUUID()}`);
  opened = await openMemoryStore();
  etcdQueue = new EtcdQueue({ ...queueOptions, client, topic: "life" });
}, 300_000);

afterAll(async () => {
  await etcdQueue.close();
  await client.removeAll();
  client.close();
  await etcd.stop();
  await opened.close();
  folder.remove();
});

interface StreamParts {
  readonly publisher: BatchPublisher;
  readonly retries: StreamRetries;
}

const memoryHotTier = (): MemoryHotTier => new MemoryHotTier({ onCoalesced: () => undefined });
const memoryQueue = (): MemoryQueue => new MemoryQueue({ ...queueOptions, topic: "life" });

function openCollector(realQueue: Queue, drainOnStop: boolean): OpenedService {
  const { part: queue, calls } = counted(realQueue);
  const service = new Collector({
    admit: () => Promise.resolve(),
    consumerId: "one",
    queue,
    store: opened.store,
    hotTier: memoryHotTier(),
    workers: 3,
    leaseSeconds: 5,
    drainOnStop,
    clock,
    listener,
    log,
  });
  return { service, calls };
}

/** A streamer on a queue whose calls are counted. */
function openStreamer(streamOf: (parts: StreamParts) => SourceStream): OpenedService {
  const { part: queue, calls } = counted(memoryQueue());
  const bucket = new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock });
  const backPressure = new BackPressure({ lowMessages: 500, highMessages: 900, clock });
  const retries = new StreamRetries({ clock, listener, log });
  const messageMaxBytes = 1_000_000;
  const publisher = new BatchPublisher({ queue, bucket, backPressure, messageMaxBytes, clock, listener, retries });
  const stream = streamOf({ publisher, retries });
  const sourceError = (): undefined => undefined;
  return { service: new Streamer({ name: "streamer", stream, publisher, retries, sourceError, log }), calls };
}

function openLiveStreamer(assignment: LiveAssignment): OpenedService {
  const fleet = { hosts: 2, gpusPerHost: 2, seed: 1, intervalMs: 20, clusterId: crypto.randomUUID() };
  const source = new SimulatedSource({ ...fleet, clock, batchMaxSamples: 100 });
  return openStreamer((parts) => new LiveStream({ ...parts, source, assignment, clock, log }));
}

/** Plays a file repeatedly, each round as a new source. */
function openReplayStreamer(assignment: RangeAssignment): OpenedService {
  const firstRound = Math.floor(Math.random() * 1e9);
  const openSource = (round: number): Promise<CsvSource> =>
    openCsvSource(csvFile, { batchRows: 20, playing: { timestamps: "original", round: firstRound + round } });
  return openStreamer(
    (parts) => new ReplayStream({ ...parts, openSource, assignment, intervalMs: 1, clock, listener, log }),
  );
}

exerciseService("a collector on the queue in memory", () => openCollector(memoryQueue(), true));
exerciseService("a collector on the queue in etcd", () => openCollector(etcdQueue, false));
exerciseService("a streamer of a file, alone with its store", () =>
  openReplayStreamer(new LocalAssignment(opened.store)),
);
exerciseService("a streamer that shares a file through etcd", () => {
  const options = { streamerId: crypto.randomUUID(), leaseSeconds: 5, rangeBytes: 10_000 };
  const names = { topic: defaultTopic, clusterId: defaultClusterId };
  return openReplayStreamer(new EtcdAssignment({ ...options, ...names, client, clock, log }));
});
exerciseService("a streamer of a live source, alone with its store", () =>
  openLiveStreamer(new LocalLiveAssignment(opened.store, clock)),
);
exerciseService("a streamer that shares a live source through etcd", () => {
  const options = { streamerId: crypto.randomUUID(), leaseSeconds: 5, topic: defaultTopic };
  return openLiveStreamer(new EtcdLiveAssignment({ ...options, client, clock }));
});
exerciseService("a process's registration", () => {
  const { part, calls } = counted(client);
  const registry = new EtcdServiceRegistry({ client: part, topic: defaultTopic, leaseSeconds: 5, clock, log });
  const identity = instanceOf(crypto.randomUUID());
  const report = (): Promise<ServiceReport> => Promise.resolve({ health: "ok", errors: [], isReady: true, load: {} });
  return { service: new Registration({ registry, identity, address: identity, report, clock, log }), calls };
});
exerciseService("what a streamer reports about its targets", () => {
  const { part, calls } = counted(client);
  const instanceId = crypto.randomUUID();
  const states = new EtcdTargetStates({ client: part, topic: defaultTopic, instanceId, leaseSeconds: 5, clock });
  return { service: new TargetReporter({ states, read: () => [stateOf("a:9400")], clock, log }), calls };
});
exerciseService("the removal of positions of sources that are gone", () => {
  const { part, calls } = counted(client);
  const sleep: typeof clock.sleep = (ms, signal) => clock.sleep(Math.min(ms, 5), signal);
  const positions = new EtcdOldPositions(part, defaultTopic);
  return { service: new PositionUpkeep({ positions, clock: { ...clock, sleep }, log }), calls };
});
exerciseService("the look whether etcd has lost its history", () => {
  const { part, calls } = counted(client);
  const sleep: typeof clock.sleep = (ms, signal) => clock.sleep(Math.min(ms, 5), signal);
  const markKey = `/history/${crypto.randomUUID()}`;
  const options = { client: part, markKey, clock: { ...clock, sleep }, log, onLost: () => undefined };
  return { service: new EtcdHistoryCheck(options), calls };
});
exerciseService("the look for leases of dead processes", () => {
  const { part, calls } = counted(client);
  return { service: new DeadLeases({ client: part, keys: leaseSignKeys("life"), everyMs: 5, clock, log }), calls };
});
exerciseService("a gateway's comparison of its store with the topic's", () => {
  let calls = 0;
  const fail = (): Promise<void> => Promise.reject(new EtcdUnavailable(`attempt ${(calls += 1)} failed`));
  return { service: new StoreCheck({ compare: fail, etcd: client, clock, log }), calls: () => calls };
});
exerciseService("a coordinator that others can replace", () => {
  const { part: queue, calls } = counted(memoryQueue());
  const instanceId = crypto.randomUUID();
  const { leader: leaderKey } = new ScalingKeys("life");
  const parts = {
    election: new EtcdLeaderElection({ client, leaderKey, instanceId, leaseSeconds: 5, clock }),
    records: new EtcdScalingRecords({ client, topic: "life" }),
    services: new MemoryServiceRegistry(clock),
    executor: new NoExecutor(),
    instruments: new ScalingInstruments(new Registry()),
    policy: defaultPolicy,
  };
  return { service: new Coordinator({ ...parts, queue, instanceId, clock, log }), calls };
});
const noGatewayAnswers: WatchEntries = (onChange) => {
  onChange([{ name: "one", url: "http://127.0.0.1:9", isDraining: false }]);
  return Promise.resolve();
};
exerciseService("the list of gateways behind a balancer", () => {
  let calls = 0;
  const sleep: typeof clock.sleep = (ms, signal) => {
    calls += 1;
    return clock.sleep(Math.min(ms, 5), signal);
  };
  return {
    service: new Backends({ watch: noGatewayAnswers, responseTimeoutMs: 1000, clock: { ...clock, sleep }, log }),
    calls: () => calls,
  };
});
exerciseService("a balancer", () => {
  let calls = 0;
  const countingLog = pino({ hooks: { logMethod: () => (calls += 1) } });
  const backends = new Backends({ watch: noGatewayAnswers, responseTimeoutMs: 1000, clock, log });
  const hosts = new HostNames({ listensOn: "127.0.0.1", own: [], allowed: [] });
  return {
    service: new Balancer({ backends, host: "127.0.0.1", hosts, port: 0, clock, log: countingLog }),
    calls: () => calls,
  };
});
exerciseService("etcd's upkeep", () => {
  const { part, calls } = counted(client);
  const options = { instanceId: crypto.randomUUID(), historySeconds: 60 };
  return { service: new EtcdUpkeep({ ...options, client: part, clock, log }), calls };
});
exerciseService("the keys in memory", () => {
  const { part: store, calls } = counted(new SqlKeyStore(opened.client));
  const options = { bootstrapKey: undefined, file: undefined, maxAgeMs: 1000, needsKeys: false };
  return { service: new KeyDirectory({ ...options, store, monotonicMs: clock.nowMs, clock, log }), calls };
});
exerciseService("what people may do", () => {
  const { part: file, calls } = counted(mappingFile("/nowhere/mapping.json"));
  return { service: new MappedCallers({ file, clock, log }), calls };
});
exerciseService("the sessions in memory", () => {
  const { part: watch, calls } = counted({ nowMs: clock.nowMs });
  const store = new SqlSessionStore(opened.client);
  const callers = new MappedCallers({ file: mappingFile("/nowhere/mapping.json"), clock, log });
  const options = {
    callers,
    issuer: "https://provider",
    lifeSeconds: 60,
    maxAgeMs: 1000,
    monotonicMs: () => watch.nowMs(),
  };
  return { service: new Sessions({ ...options, store, clock, log }), calls };
});
exerciseService("the OpenID provider", () => {
  const { part: watch, calls } = counted({ nowMs: clock.nowMs });
  const options = { issuer: "http://127.0.0.1:1", client: undefined, keysFile: "/nowhere/keys.json", ca: undefined };
  return { service: new Provider({ ...options, monotonicMs: () => watch.nowMs(), clock, log }), calls };
});
exerciseService("the audit log", () => {
  const { part: store, calls } = counted(new SqlAuditStore(opened.client));
  return { service: new AuditLog({ store, keepDays: 1, monotonicMs: clock.nowMs, clock, log }), calls };
});
exerciseService("the pressure on the database", () => {
  let calls = 0;
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    calls += 1;
    return clock.sleep(Math.min(ms, 5), signal);
  };
  return { service: new QueryPressure({ clock: { ...clock, sleep }, log }), calls: () => calls };
});
exerciseService("the count of questions that met damaged history", () => {
  let calls = 0;
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    calls += 1;
    return clock.sleep(Math.min(ms, 5), signal);
  };
  return {
    service: new DamagedHistory({ registry: new Registry(), clock: { ...clock, sleep }, log }),
    calls: () => calls,
  };
});
exerciseService("the watch on the evaluation of faults", () => {
  let calls = 0;
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => clock.sleep(Math.min(ms, 5), signal);
  const lastEvaluation = (): Promise<LastEvaluation> => {
    calls += 1;
    return Promise.resolve({ atMs: undefined, isCurrent: false });
  };
  return {
    service: new EvaluationWatch({
      queries: { lastEvaluation },
      registry: new Registry(),
      clock: { ...clock, sleep },
      log,
    }),
    calls: () => calls,
  };
});
exerciseService("the notice that nothing is protected", () => {
  let calls = 0;
  const countingLog = pino({ hooks: { logMethod: () => (calls += 1) } });
  return { service: new OpenDoor(countingLog), calls: () => calls };
});
if (openssl !== null) {
  exerciseService("the certificate of a process", () => {
    let calls = 0;
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
      calls += 1;
      return clock.sleep(Math.min(ms, 5), signal);
    };
    const { certFile, keyFile } = TestAuthority.make(dirname(csvFile), "authority").issue("own");
    const files = { certFile, keyFile, clientCaFile: undefined };
    return { service: new TlsCertificate({ files, clock: { ...clock, sleep }, log }), calls: () => calls };
  });
}
exerciseService("the history's upkeep", () => {
  const { part: retention, calls } = counted(opened.retention);
  const keepDays = { raw: 1, "1h": 3, usage: 3 };
  return { service: new HistoryUpkeep({ retention, keepDays, clock, log }), calls };
});
exerciseService("the upkeep of the stored messages", () => {
  const { part: folding, calls } = counted(opened.folding);
  return { service: new MessageUpkeep({ folding, registry: new Registry(), clock, log }), calls };
});
exerciseService("the upkeep of uploads", () => {
  const { part: uploads, calls } = counted<UploadTidying>(new SqlUploadStore(opened.client));
  return { service: new UploadUpkeep({ uploads, clock, log }), calls };
});
exerciseService("the upkeep of the embedded store's files", () => {
  const { part: disk, calls } = counted({
    use: () => ({ bytes: 1, logBytes: 1, reusableBytes: 0, maxBytes: 2, tables: new Map<string, number>() }),
    makeRoom: () => Promise.resolve(),
    tidy: () => Promise.resolve(undefined),
  });
  return { service: new DiskUpkeep({ disk, clock, log }), calls };
});
exerciseService("the upkeep that settles history", () => {
  const { part: settling, calls } = counted(opened.settling);
  return { service: new SettleUpkeep({ settling, isOn: true, afterMinutes: 15, pauses: true, clock, log }), calls };
});
exerciseService("the upkeep of the archive", () => {
  const { part: ledger, calls } = counted(opened.archive);
  const files = openArchiveFiles(mkdtempSync(join(tmpdir(), "archive-")));
  const parts = { ledger, files, queries: opened.queries, format: archiveFormat, afterMinutes: 60 };
  return { service: new ArchiveUpkeep({ ...parts, instanceId: "one", clock, log }), calls };
});
exerciseService("the upkeep of the inventory", () => {
  const { part: inventory, calls } = counted(opened.inventory);
  return { service: new InventoryUpkeep({ inventory, file: undefined, clusterId: "lab", clock, log }), calls };
});
exerciseService("the evaluation of faults", () => {
  const store = new SqlFaultStore(opened.client);
  const { part: ledger, calls } = counted(store.ledger);
  const election = new MemoryLeaderElection();
  return {
    service: new FaultEvaluation({
      ...{ election, ledger, queries: opened.queries, hotTier: memoryHotTier(), rules: faultRules, keepDays: 1 },
      ...{ notifying: store, webhooks: [new Webhook("http://localhost:9/", {})] },
      ...{ instanceId: "one", instruments: new FaultInstruments(new Registry()), clock, log },
      onClosed: () => Promise.resolve(),
    }),
    calls,
  };
});
exerciseService("the fleet with the hot tier in memory", () => {
  const { part: store, calls } = counted(opened.queries.fleet);
  return { service: new FleetProjection({ hotTier: memoryHotTier(), store, rereadMs: 5, clock, log }), calls };
});
exerciseService("the states of the fleet", () => {
  const { part: store, calls } = counted(opened.queries.fleet);
  const fleet = new FleetProjection({ hotTier: memoryHotTier(), store: opened.queries.fleet, clock, log });
  return { service: new FleetStates({ store, fleet, clock, log }), calls };
});
exerciseService("the fleet with the hot tier in etcd", () => {
  const { part: store, calls } = counted(opened.queries.fleet);
  const noReports = { onCoalesced: () => undefined, onRefused: () => undefined };
  const hotTier = new EtcdHotTier({ client, topic: defaultTopic, clock, windowSeconds: 60, ...noReports });
  return { service: new FleetProjection({ hotTier, store, clock, log }), calls };
});
