import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { TermEnded } from "../../src/domain/errors.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { within } from "../../src/kit/within.ts";
import { EtcdScalingRecords } from "../../src/scaling/coordinator/etcd/etcd-scaling-records.ts";
import { ScalingKeys } from "../../src/scaling/coordinator/etcd/scaling-keys.ts";
import { EtcdLeaderElection } from "../../src/scaling/election/etcd/etcd-leader-election.ts";
import type { Term } from "../../src/scaling/election/leader-election.ts";
import { exerciseLeaderElection } from "../contract/leader-election.ts";
import { decisionAt, exerciseScalingRecords, updateAt } from "../contract/scaling-records.ts";
import { nowMs } from "../scaling/scaling-input.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";

let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `scaling-${crypto.randomUUID()}`);
}, 300_000);
afterAll(async () => {
  await client.removeAll();
  client.close();
  await etcd.stop();
});

const candidate = (topic: string, instanceId: string): EtcdLeaderElection =>
  new EtcdLeaderElection({ client, leaderKey: new ScalingKeys(topic).leader, instanceId, leaseSeconds: 2, clock });

async function lead(topic: string, instanceId = "one"): Promise<Term> {
  const term = await candidate(topic, instanceId).campaign(new AbortController().signal);
  if (term === undefined) throw new Error("the campaign was aborted");
  return term;
}

exerciseLeaderElection("EtcdLeaderElection", (instanceId) => candidate("election", instanceId));

exerciseScalingRecords("EtcdScalingRecords", async () => {
  await client.removeAll();
  return {
    records: new EtcdScalingRecords({ client, topic: "telemetry" }),
    election: candidate("telemetry", "one"),
    close: () => client.removeAll(),
  };
});

test("figures are plain numbers under keys of their own, for KEDA's etcd scaler", async () => {
  const term = await lead("telemetry");
  await new EtcdScalingRecords({ client, topic: "telemetry" }).write(term, updateAt(nowMs));
  const { kvs } = await client.range(prefixRange("/scaling/figures/"));
  expect(kvs.map(({ key, value }) => [key.toString(), value.toString()])).toEqual([
    ["/scaling/figures/backlog_messages", "12"],
    ["/scaling/figures/desired/collector", "4"],
    ["/scaling/figures/oldest_age_seconds", "1.5"],
  ]);
  await term.resign();
  expect((await client.range(prefixRange("/scaling/figures/"))).kvs).toEqual([]);
});

test("a leader whose lease etcd has ended is followed by another, and writes nothing more, even if it does not know", async () => {
  const records = new EtcdScalingRecords({ client, topic: "lost" });
  const old = await lead("lost", "old");
  await records.write(old, updateAt(nowMs));
  await client.revokeLease(old.leaseId);
  const next = await within(clock, 10_000, () => lead("lost", "next"));
  expect(old.ended.aborted && next.ended.aborted).toBe(false);
  const late = records.write(old, updateAt(nowMs + 5000, [decisionAt(nowMs + 5000, 9)]));
  expect(await late.catch((error: unknown) => error)).toBeInstanceOf(TermEnded);
  expect((await records.read(10)).changes).toEqual([]);
  expect((await records.read(10)).leader?.instanceId).toBe("next");
  await Promise.all([old.resign(), next.resign()]);
});

test("two pipelines on one etcd have leaders of their own", async () => {
  const terms = await within(clock, 10_000, () => Promise.all([lead("first"), lead("second")]));
  expect(new Set(terms.map(({ leaderKey }) => leaderKey)).size).toBe(2);
  await Promise.all(terms.map((term) => term.resign()));
});

test("records that another version has written are not used, and prevent no decision", async () => {
  await client.removeAll();
  const records = new EtcdScalingRecords({ client, topic: "telemetry" });
  await client.txn({
    success: [
      put("/scaling/state", "{"),
      put("/scaling/memory", '{"collector":{"desired":"many"}}'),
      put("/scaling/decisions/01", '{"later":true}'),
    ],
  });
  expect(await records.read(10)).toMatchObject({ state: undefined, memories: {}, changes: [] });
  const term = await lead("telemetry");
  await records.write(term, updateAt(nowMs));
  expect((await records.read(10)).memories.collector?.desired).toBe(4);
  await term.resign();
});
