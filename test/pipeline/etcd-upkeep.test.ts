import { afterAll, beforeAll, expect, test } from "bun:test";
import pino from "pino";
import { until } from "../../dev/until.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type Clock, systemClock } from "../../src/kit/clock.ts";
import { EtcdOutOfSpace } from "../../src/domain/errors.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { put } from "../../src/etcd/requests.ts";
import { EtcdUpkeep } from "../../src/pipeline/upkeep/etcd-upkeep.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import type { Delivery, NewMessage } from "../../src/pipeline/queue/queue.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";
import { logSerializers } from "../../src/terminal/log.ts";

const logged: string[] = [];
const log = pino({ level: "warn", serializers: logSerializers }, { write: (line: string) => void logged.push(line) });
const never = new AbortController().signal;
const quotaBytes = 24 * 1024 * 1024;
let cluster: EtcdCluster;
let client: EtcdClient;

beforeAll(async () => {
  cluster = await startEtcd({ members: 1, quotaBytes });
  client = new EtcdClient({ endpoints: cluster.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await cluster.stop();
});

const openUpkeep = (instanceId: string): EtcdUpkeep =>
  new EtcdUpkeep({ client, clock: systemClock, instanceId, historySeconds: 1, log });
const openQueue = (): EtcdQueue =>
  new EtcdQueue({
    client,
    topic: "space",
    clock: systemClock,
    log,
    leaseSeconds: 5,
    maxAttempts: 3,
    capacityMessages: 1000,
  });

function message(key: string): NewMessage {
  const at = { offset: 0, line: 0 };
  return {
    idempotencyKey: key,
    traceId: "t",
    schemaVersion: "v1",
    encoding: "none",
    count: 1,
    payload: crypto.getRandomValues(new Uint8Array(60_000)),
    source: { sourceId: "space", from: at, to: at },
  };
}

test("without space, publishers get an error and acknowledgements continue; publishing resumes once space is free", async () => {
  const lease = await client.grantLease(600);
  await client.txn({ success: [put("/maintenance/upkeep", "idle", lease)] });
  const queue = openQueue();
  await queue.publish([message("first")], { signal: never });
  const [delivery] = await queue.claim({ consumerId: "c", maxMessages: 1, signal: never });
  let refusal: unknown;
  for (let index = 0; refusal === undefined && index < 2000; index += 1) {
    refusal = await client.txn({ success: [put("/filler", message("").payload)] }).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  expect(refusal).toBeInstanceOf(EtcdOutOfSpace);
  await until(async () => (await client.membersWithoutSpace()).length > 0);
  const blocked = await queue.publish([message("blocked")], { signal: never }).catch((error: unknown) => error);
  expect(blocked).toMatchObject({ code: "etcd_out_of_space", retryable: true });
  expect(await queue.acknowledge([delivery as Delivery])).toEqual([]);

  // another process holds the lock, and does nothing
  const lock = await client.range({ key: Buffer.from("/maintenance/upkeep") });
  expect(lock.kvs).toHaveLength(1);
  const standby = openUpkeep("standby");
  await standby.start();
  await until(() => standby.error() !== undefined);
  expect(standby.error()).toContain("out of space (alarm NOSPACE): publishers wait; another process makes space");
  await standby.stop(AbortSignal.abort());
  await client.revokeLease(lock.kvs[0]?.lease ?? "");

  const upkeep = openUpkeep("upkeeper");
  await upkeep.start();
  await until(async () => (await client.membersWithoutSpace()).length === 0);
  expect(logged.join()).toContain("out of space");
  const { receipts } = await queue.publish([message("blocked")], { signal: never });
  expect(receipts).toMatchObject([{ duplicate: false }]);
  await until(() => upkeep.error() === undefined);
  expect(upkeep.error()).toBeUndefined();
  await upkeep.stop(AbortSignal.abort());
  await queue.close();
}, 60_000);

test("a key that is written repeatedly takes space only for its recent history; exactly one of two processes compacts", async () => {
  const [one, two] = [openUpkeep("one"), openUpkeep("two")];
  await Promise.all([one.start(), two.start()]);
  const payload = message("").payload;
  let largestInUse = 0;
  for (let round = 0; round < 120; round += 1) {
    // the whole history would take twice the quota
    for (let writes = 0; writes < 7; writes += 1) await client.txn({ success: [put("/again", payload)] });
    // 7 s in total, several times historySeconds: etcd's history ages in real time
    await Bun.sleep(60);
    largestInUse = Math.max(largestInUse, (await client.databaseSize()).inUseBytes);
  }
  expect(largestInUse).toBeLessThan(quotaBytes);
  expect([one, two].filter((upkeep) => upkeep.activity() !== undefined)).toHaveLength(1);
  await Promise.all([one.stop(AbortSignal.abort()), two.stop(AbortSignal.abort())]);
}, 60_000);

test("etcd is compacted a few times within the length of its history, not at every check: each compaction reads all keys", async () => {
  class CountingClient extends EtcdClient {
    compactions = 0;
    override compact(...args: Parameters<EtcdClient["compact"]>): Promise<void> {
      this.compactions += 1;
      return super.compact(...args);
    }
  }
  const counting = new CountingClient({ endpoints: cluster.endpoints });
  // a minute takes half a second
  const startedMs = systemClock.nowMs();
  const nowMs = (): number => startedMs + (systemClock.nowMs() - startedMs) * 120;
  const clock: Clock = { ...systemClock, nowMs, sleep: (ms, signal) => systemClock.sleep(ms / 120, signal) };
  const upkeep = new EtcdUpkeep({ client: counting, clock, instanceId: "one", historySeconds: 30, log });
  await upkeep.start();
  await until(() => upkeep.activity() !== undefined);
  for (const end = nowMs() + 150_000; nowMs() < end;) await client.txn({ success: [put("/again", "x")] });
  await upkeep.stop(AbortSignal.abort());
  counting.close();
  expect(counting.compactions).toBeGreaterThan(2);
  expect(counting.compactions).toBeLessThanOrEqual(16);
}, 60_000);

test("a lock is released if the response that granted it was lost, and the process eventually keeps etcd small", async () => {
  const { hostname, port } = new URL(cluster.endpoints[0] as string);
  const proxy = await openTcpProxy({ host: hostname, port: Number(port) });
  // with this clock, a standby waits a tenth of a second between two tries
  const fastClock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => systemClock.sleep(ms / 50, signal),
  };
  let cuts = 0;
  do {
    cuts += 1;
    const through = new EtcdClient({ endpoints: [`http://127.0.0.1:${proxy.port}`] });
    proxy.cutAt(cuts, "answer");
    const upkeep = new EtcdUpkeep({ client: through, clock: fastClock, instanceId: "one", historySeconds: 1, log });
    await upkeep.start();
    await until(() => upkeep.activity() !== undefined);
    expect(upkeep.activity()).toContain("keeps etcd's database small");
    await upkeep.stop(AbortSignal.abort());
    through.close();
  } while (proxy.hasCut && cuts < 12);
  expect(cuts).toBeGreaterThan(4);
  await proxy.close();
}, 60_000);
