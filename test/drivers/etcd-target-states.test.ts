import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdTargetStates } from "../../src/pipeline/source/states/etcd/etcd-target-states.ts";
import { exerciseTargetStates, stateOf } from "../contract/target-states.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";

let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `targets-${crypto.randomUUID()}`);
}, 300_000);
afterAll(async () => {
  await client.removeAll();
  client.close();
  await etcd.stop();
});

const openStates = (instanceId: string, topic = defaultTopic): EtcdTargetStates =>
  new EtcdTargetStates({ client, clock: systemClock, topic, instanceId, leaseSeconds: 2 });

exerciseTargetStates("EtcdTargetStates", async () => {
  await client.removeAll();
  return { states: openStates("host:1"), openOther: () => openStates("host:2"), close: () => client.removeAll() };
});

test("two pipelines on one etcd do not see each other's targets", async () => {
  const [one, other] = [openStates("host:1", "one"), openStates("host:1", "other")];
  await one.report([stateOf("a:9400")]);
  await other.report([stateOf("b:9400")]);
  expect((await one.list()).targets.map(({ target }) => target)).toEqual(["a:9400"]);
  await Promise.all([one.close(), other.close()]);
});

test("the states come back after their lease was lost", async () => {
  const states = openStates("host:1");
  await states.report([stateOf("a:9400")]);
  const { kvs } = await client.range(prefixRange("/targets/"));
  await client.revokeLease(kvs[0]?.lease ?? "");
  expect((await states.list()).targets).toEqual([]);
  await until(() =>
    states.report([stateOf("a:9400")]).then(
      () => true,
      () => false,
    ),
  );
  expect((await states.list()).targets).toEqual([stateOf("a:9400")]);
  await states.close();
});

test("content that this version cannot read, and fields that only a later version knows, do no harm", async () => {
  const states = openStates("host:1");
  const later = { ...stateOf("a:9400"), mood: "fine" };
  const lacking = { ...stateOf("b:9400"), state: undefined };
  for (const [key, content] of [
    ["/targets/x/0", "{}"],
    ["/targets/y/0", Bun.zstdCompressSync("not JSON")],
    ["/targets/z/0", Bun.zstdCompressSync(JSON.stringify([lacking]))],
    ["/targets/later/0", Bun.zstdCompressSync(JSON.stringify([later]))],
  ] as const) {
    await client.txn({ success: [put(key, content)] });
  }
  expect((await states.list()).targets).toEqual([stateOf("a:9400")]);
  await client.removeAll();
});
