import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type Clock, systemClock } from "../../src/kit/clock.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { put } from "../../src/etcd/requests.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { EtcdUpkeep } from "../../src/pipeline/upkeep/etcd-upkeep.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { Follower } from "../support/hot-records.ts";
import { makeBatch } from "../../dev/make-batch.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// A collector writes to the store, then to the hot tier, and then acknowledges the message. The tests use a real store, a real
// queue and a real etcd that can run out of space.

const log = unshownLog();
const clock: Clock = systemClock;
const t0 = Date.UTC(2025, 6, 18);
const quotaBytes = 24 * 1024 * 1024;
let cluster: EtcdCluster;
let client: EtcdClient;
let opened: OpenStore;
beforeAll(async () => {
  cluster = await startEtcd({ members: 1, quotaBytes });
  client = new EtcdClient({ endpoints: cluster.endpoints });
  opened = await openMemoryStore();
}, 300_000);
afterAll(async () => {
  client.close();
  await cluster.stop();
  await opened.close();
});

interface Running {
  readonly queue: MemoryQueue;
  readonly collector: Collector;
  readonly publish: (key: string, uuid: string, at: number, more?: Record<string, number>) => Promise<void>;
  readonly stop: () => Promise<void>;
}

async function collect(hotTier: EtcdHotTier): Promise<Running> {
  const queue = new MemoryQueue({ topic: "t", clock, capacityMessages: 10, leaseSeconds: 5, maxAttempts: 2 });
  const collector = new Collector({
    admit: () => Promise.resolve(),
    consumerId: "c",
    queue,
    store: opened.store,
    hotTier,
    workers: 2,
    leaseSeconds: 5,
    drainOnStop: false,
    clock,
    log,
    listener: silentListener,
  });
  await collector.start();
  return {
    queue,
    collector,
    publish: async (key, uuid, at, more = {}) => {
      const batch = makeBatch([{ uuid, timeMs: t0 + at, metrics: { temperature: at, ...more } }]);
      const source = { sourceId: key, from: { offset: 0, line: 1 }, to: { offset: 1, line: 2 } };
      const message = { ...encodeBatch(batch), idempotencyKey: key, traceId: "t", count: 1, source };
      await queue.publish([message], { signal: new AbortController().signal });
    },
    stop: async () => {
      await collector.stop(AbortSignal.abort());
      await queue.close();
    },
  };
}

const refused: string[] = [];
const onRefused = ({ message }: Error): number => refused.push(message);
const openTier = (): EtcdHotTier =>
  new EtcdHotTier({ client, topic: defaultTopic, clock, windowSeconds: 60, onCoalesced: () => undefined, onRefused });

const isDrained = (queue: MemoryQueue) => async (): Promise<boolean> => {
  const { readyMessages: ready, inFlightMessages: inFlight } = await queue.stats();
  return ready + inFlight === 0;
};

describe("a collector", () => {
  test("writes every message to the hot tier and acknowledges it, even a message that is already stored", async () => {
    const tier = openTier();
    const follower = new Follower(tier);
    const { queue, publish, stop } = await collect(tier);
    await publish("first", "GPU-written", 1);
    await follower.newest("GPU-written", t0 + 1);
    await until(isDrained(queue));
    // as if another collector had stored the second message and died before it wrote to the hot tier
    const batch = makeBatch([{ uuid: "GPU-stored", timeMs: t0 + 2, metrics: { temperature: 2 } }]);
    const source = { sourceId: "second", from: { offset: 0, line: 1 }, to: { offset: 1, line: 2 } };
    await opened.store.ingest({ messageId: "by another", idempotencyKey: "second", source, batch });
    await publish("second", "GPU-stored", 2);
    await follower.newest("GPU-stored", t0 + 2);
    await until(isDrained(queue));
    await follower.stop();
    await stop();
  });

  test("waits while etcd is out of space, reports the error, and continues by itself once space is free", async () => {
    const tier = openTier();
    const filler = crypto.getRandomValues(new Uint8Array(60_000));
    let isFull = false;
    for (let index = 0; !isFull && index < 2000; index += 1) {
      isFull = await client.txn({ success: [put("/filler", filler)] }).then(
        () => false,
        () => true,
      );
    }
    await until(async () => (await client.membersWithoutSpace()).length > 0);
    const { queue, collector, publish, stop } = await collect(tier);
    await publish("third", "GPU-waiting", 3);
    await until(() => collector.error() !== undefined);
    expect(collector.error()).toContain("database has reached its quota");
    expect(await queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 1, deadMessages: 0 });
    // the record is already stored
    expect(await opened.queries.fleet.gpus({ uuids: ["GPU-waiting"] })).toHaveLength(1);
    const upkeep = new EtcdUpkeep({ client, clock, instanceId: "u", historySeconds: 1, log });
    await upkeep.start();
    const follower = new Follower(tier);
    await follower.newest("GPU-waiting", t0 + 3);
    await until(isDrained(queue));
    await until(() => collector.error() === undefined);
    await follower.stop();
    await upkeep.stop(AbortSignal.abort());
    await stop();
  }, 60_000);

  test("acknowledges a stored message whose record is too large for the hot tier, and the hot tier reports the refusal", async () => {
    const tier = openTier();
    const follower = new Follower(tier);
    const { queue, publish, stop } = await collect(tier);
    await publish("accepted", "GPU-accepted", 5);
    // one record of 2 MB in one million characters: the hot tier accepts at most 1 MiB
    const more = Object.fromEntries(Array.from({ length: 4000 }, (_, index) => [`${"é".repeat(240)}_${index}`, index]));
    await publish("fourth", "GPU-refused", 4, more);
    await until(isDrained(queue));
    expect(await queue.stats()).toMatchObject({ deadMessages: 0 });
    expect(refused.join()).toContain("the newest record of GPU GPU-refused has");
    await follower.newest("GPU-accepted", t0 + 5);
    expect(await opened.queries.fleet.gpus({ uuids: ["GPU-refused"] })).toHaveLength(1);
    await follower.stop();
    await stop();
  });
});
