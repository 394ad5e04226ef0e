import { afterAll, beforeAll, expect, test } from "bun:test";
import { pino } from "pino";
import { until } from "../../dev/until.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { EtcdClient, type Txn } from "../../src/etcd/etcd-client.ts";
import { LeaseSession, signKey } from "../../src/etcd/lease-session.ts";
import { leaseSignKeys } from "../../src/etcd/lease-signs.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { QueueKeys } from "../../src/pipeline/queue/etcd/queue-keys.ts";
import { DeadLeases } from "../../src/pipeline/upkeep/dead-leases.ts";

// While etcd restarts more often than a lease lasts, it never ends one. Here, a lease of an hour stands for that.
const topic = `dead-${crypto.randomUUID().slice(0, 8)}`;
const queueKeys = new QueueKeys(topic);
const keys = leaseSignKeys(topic);
let etcd: ProvidedEtcd;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await etcd.stop();
});

const claims = async (): Promise<string[]> =>
  (await client.range(prefixRange(queueKeys.claims))).kvs.map(({ key }) =>
    key.toString().slice(queueKeys.claims.length),
  );

/** A lease that etcd keeps, of a process that wrote its sign once and died. */
async function deadLease(ttlSeconds: string): Promise<string> {
  const leaseId = await client.grantLease(3600);
  await client.txn({ success: [put(signKey(keys.signs, leaseId), ttlSeconds, leaseId)] });
  return leaseId;
}

test("what a dead process had claimed is free although etcd keeps its lease, and what a living one has stays", async () => {
  const living = await LeaseSession.open({ client, clock, ttlSeconds: 2, signs: keys.signs });
  // of an earlier version: it writes no sign
  const earlier = await client.grantLease(3600);
  const leases = { dead: await deadLease("2"), patient: await deadLease("600"), living: living.leaseId, earlier };
  await client.txn({ success: Object.entries(leases).map(([name, id]) => put(queueKeys.claim(name), name, id)) });

  const service = new DeadLeases({ client, keys, everyMs: 200, clock, log: pino({ level: "silent" }) });
  await service.start();
  await until(async () => !(await claims()).includes("dead"));
  await clock.sleep(2000);
  expect(await claims()).toEqual(["earlier", "living", "patient"]);
  expect(living.signal.aborted).toBe(false);
  await service.stop(AbortSignal.timeout(5000));
  await living.close();
});

test("a lease is not ended while etcd takes no writes of the process that would end it", async () => {
  const leaseId = await deadLease("1");
  await client.txn({ success: [put(queueKeys.claim("unseen"), "unseen", leaseId)] });
  const refusing = Object.assign(Object.create(client) as EtcdClient, {
    txn: () => Promise.reject(new Error("etcd is out of space")),
  });
  const service = new DeadLeases({ client: refusing, keys, everyMs: 50, clock, log: pino({ level: "silent" }) });
  await service.start();
  await clock.sleep(2500);
  expect(await claims()).toContain("unseen");
  await service.stop(AbortSignal.timeout(5000));
});

test("after an outage or a suspension that is longer than a lease, its process gets the time to give a sign", async () => {
  const leaseId = await deadLease("1");
  await client.txn({ success: [put(queueKeys.claim("slow"), "slow", leaseId)] });
  const service = new DeadLeases({ client, keys, everyMs: 2000, clock, log: pino({ level: "silent" }) });
  await service.start();
  // the second look comes 2 s after the first, and the sign is as it was
  await clock.sleep(2700);
  expect(await claims()).toContain("slow");
  await service.stop(AbortSignal.timeout(5000));
});

test("a sign that etcd does not answer is written again soon, long before others take the process for dead", async () => {
  let hangs = 0;
  const hanging = Object.assign(Object.create(client) as EtcdClient, {
    txn: async (txn: Txn, timeoutMs = 5000) => {
      if (hangs === 0) return client.txn(txn, timeoutMs);
      hangs -= 1;
      await clock.sleep(timeoutMs);
      throw new EtcdUnavailable("no answer");
    },
  });
  const session = await LeaseSession.open({ client: hanging, clock, ttlSeconds: 2, signs: keys.signs });
  const range = { key: Buffer.from(signKey(keys.signs, session.leaseId)) };
  const written = async (): Promise<string | undefined> => (await client.range(range)).kvs[0]?.mod_revision;
  const first = await written();
  expect(first).toBeString();
  hangs = 1;
  // others are patient for 3 s
  await until(async () => (await written()) !== first, { timeoutMs: 2900 });
  await session.close();
  expect(await written()).toBeUndefined();
});
