import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import type { Delivery } from "../../src/pipeline/queue/queue.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";
import { openMemoryStore } from "../support/open-store.ts";

// Streamers of a newer version publish payloads that collectors of this one cannot read, while an upgrade lasts.

setDefaultTimeout(60_000);

const log = unshownLog();
const { signal } = new AbortController();
let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;
let opened: OpenStore;
beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `newer-${crypto.randomUUID().slice(0, 8)}`);
  opened = await openMemoryStore();
}, 300_000);
afterAll(async () => {
  await client.removeAll();
  client.close();
  await Promise.all([etcd.stop(), opened.close()]);
});

const openQueue = (): EtcdQueue =>
  new EtcdQueue({ client, topic: "t", clock, log, capacityMessages: 10, leaseSeconds: 5, maxAttempts: 2 });

async function publish(queue: EtcdQueue, key: string, schemaVersion: string): Promise<void> {
  const batch = makeBatch([{ uuid: key, timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 1 } }]);
  const source = { sourceId: key, from: { offset: 0, line: 1 }, to: { offset: 1, line: 2 } };
  const message = { ...encodeBatch(batch), schemaVersion, idempotencyKey: key, traceId: "t", count: 1, source };
  await queue.publish([message], { signal });
}

test("a message of a newer schema is left for a newer collector, is told once, and keeps no other message waiting", async () => {
  const [queue, newer] = [openQueue(), openQueue()];
  let refused = 0;
  const collector = new Collector({
    ...{ admit: () => Promise.resolve(), consumerId: "older", queue, store: opened.store, clock, log },
    ...{ hotTier: { write: () => Promise.resolve() }, workers: 1, leaseSeconds: 5, drainOnStop: false },
    listener: { ...silentListener, refused: () => (refused += 1) },
  });
  await publish(queue, "newer-1", "v2");
  await publish(queue, "newer-2", "v2beta1");
  await publish(queue, "known", "v1");
  await collector.start();
  const uuids = async (): Promise<string[]> => (await opened.queries.fleet.gpus({})).map(({ uuid }) => uuid);
  await until(async () => (await uuids()).includes("known"));
  await until(async () => (await queue.stats()).leftMessages === 2);
  expect(collector.error()).toMatch(/left for a newer version of this program.*schema version v2(beta1)? is newer/);
  expect(await queue.stats()).toMatchObject({ readyMessages: 2, inFlightMessages: 0, deadMessages: 0 });

  const taken: Delivery[] = [];
  while (taken.length < 2) taken.push(...(await newer.claim({ consumerId: "newer", maxMessages: 2, signal })));
  expect(taken.map(({ envelope, attempt }) => [envelope.idempotencyKey, attempt]).toSorted()).toEqual([
    ["newer-1", 1],
    ["newer-2", 1],
  ]);
  // one returns to the queue, for example because that collector stops: it still waits for a newer one
  await newer.reject(taken[0] as Delivery, undefined);
  await Bun.sleep(500);
  expect(await queue.stats()).toMatchObject({ readyMessages: 1, leftMessages: 1 });
  const [again] = await newer.claim({ consumerId: "newer", maxMessages: 1, signal });
  expect(await newer.acknowledge([again as Delivery, taken[1] as Delivery])).toEqual([]);
  await until(() => collector.error() === undefined);
  expect(refused).toBe(0);
  expect(await uuids()).toEqual(["known"]);
  await collector.stop(AbortSignal.abort());
  await Promise.all([queue.close(), newer.close()]);
});
