import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { StreamerLease } from "../../src/pipeline/stream/assignment/streamer-lease.ts";
import { TargetBoard } from "../../src/pipeline/stream/assignment/target-board.ts";
import { TargetKeys } from "../../src/pipeline/stream/assignment/target-keys.ts";
import { TargetMembership } from "../../src/pipeline/stream/assignment/target-membership.ts";
import { TargetSet } from "../../src/pipeline/stream/assignment/target-set.ts";

// A streamer could not renew its lease while etcd was down for as long as the lease lasts, and gave up its targets. The restarted etcd
// gave the lease its whole time again, so that the streamer waited for its own keys: nothing was published for QUEUE_LEASE_SECONDS.
const leaseSeconds = 3600;
const topic = `given-up-${crypto.randomUUID().slice(0, 8)}`;
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

const isStored = async (key: string): Promise<boolean> => Number((await client.range(prefixRange(key))).count) > 0;

test("a streamer that gave its lease up can claim what it had as soon as it has the next one", async () => {
  const keys = new TargetKeys(topic);
  const board = new TargetBoard({ client, clock, keys, onChange: () => undefined });
  const membership = new TargetMembership({
    ...{ client, clock, keys, leaseSeconds, streamerId: "streamer-1" },
    onLost: () => undefined,
  });
  const known = new TargetSet([1]);
  const first = await membership.join(known, board);
  const owner = keys.owner("scrape:gpu1:9400");
  await client.txn({ success: [put(owner, "streamer-1", first.leaseId)] });
  first.markLost();

  await membership.join(known, board);
  expect(await isStored(owner)).toBe(false);
  expect(await isStored(keys.member("streamer-1"))).toBe(true);
  await membership.close();
  await board.close();
});

test("ranges of a file are free as soon as the next lease is there", async () => {
  const lease = new StreamerLease({ client, clock, leaseSeconds });
  const [before, after] = [`/${topic}/before`, `/${topic}/after`];
  await lease.change(async (session) => {
    await client.txn({ success: [put(before, "streamer-1", session.leaseId)] });
    session.markLost();
  });

  await lease.change(({ leaseId }) => client.txn({ success: [put(after, "streamer-1", leaseId)] }));
  expect([await isStored(before), await isStored(after)]).toEqual([false, true]);
  await lease.close();
});
