import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { LeaseGone } from "../../src/domain/errors.ts";
import { prefixRange, put, remove } from "../../src/etcd/requests.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdServiceRegistry } from "../../src/scaling/registry/etcd/etcd-service-registry.ts";
import type { ServiceInstance } from "../../src/scaling/registry/service-instance.ts";
import { exerciseServiceRegistry, instanceOf } from "../contract/service-registry.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `registry-${crypto.randomUUID()}`);
}, 300_000);
afterAll(async () => {
  await client.removeAll();
  client.close();
  await etcd.stop();
});

const openRegistry = (topic = defaultTopic): EtcdServiceRegistry =>
  new EtcdServiceRegistry({ client, topic, leaseSeconds: 2, clock: systemClock, log: unshownLog() });

exerciseServiceRegistry("EtcdServiceRegistry", async () => {
  await client.removeAll();
  return { registry: openRegistry(), close: () => client.removeAll() };
});

const keys = async (): Promise<string[]> =>
  (await client.range({ ...prefixRange("/"), keys_only: true })).kvs.map(({ key }) => key.toString());
const never = (): void => {
  throw new Error("the entry was lost");
};

test("two pipelines on one etcd do not see each other's processes, even if one topic begins with the other", async () => {
  await client.removeAll();
  const registries = [defaultTopic, "second", "second-b"].map((topic) => openRegistry(topic));
  const entries = registries.map((registry) => registry.openEntry("host:1", never));
  for (const [index, entry] of entries.entries()) await entry.put(instanceOf("host:1", { pid: index + 1 }));
  expect((await keys()).sort()).toEqual([
    "/pipelines/second-b/services/host%3A1",
    "/pipelines/second/services/host%3A1",
    "/services/host%3A1",
  ]);
  for (const [index, registry] of registries.entries()) {
    expect((await registry.list()).instances.map(({ pid }) => pid)).toEqual([index + 1]);
  }
  await Promise.all(entries.map((entry) => entry.remove()));
  expect(await keys()).toEqual([]);
});

test("an entry outlives several lease times, with a lease that its process renews", async () => {
  const registry = openRegistry("renewed");
  const entry = registry.openEntry("one", never);
  await entry.put(instanceOf("one"));
  await Bun.sleep(5000);
  expect((await registry.list()).instances).toHaveLength(1);
  await entry.remove();
}, 15_000);

test("when etcd has ended the lease, the process is notified, and its next write registers it again", async () => {
  const registry = openRegistry("lost");
  const lost = Promise.withResolvers<void>();
  const entry = registry.openEntry("one", lost.resolve);
  await entry.put(instanceOf("one"));
  const { kvs } = await client.range({ key: Buffer.from("/pipelines/lost/services/one") });
  await client.revokeLease(kvs[0]?.lease ?? "");
  expect((await registry.list()).instances).toEqual([]);
  await lost.promise;
  await entry.put(instanceOf("one"));
  expect((await registry.list()).instances).toHaveLength(1);
  await entry.remove();
});

test("a write under a lease that has ended fails once, and the next one opens another lease", async () => {
  const registry = openRegistry("ended");
  const entry = registry.openEntry("one", () => undefined);
  await entry.put(instanceOf("one"));
  const { kvs } = await client.range({ key: Buffer.from("/pipelines/ended/services/one") });
  await client.revokeLease(kvs[0]?.lease ?? "");
  const error = await entry.put(instanceOf("one")).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(LeaseGone);
  await entry.put(instanceOf("one"));
  expect((await registry.list()).instances).toHaveLength(1);
  await entry.remove();
});

test("an entry that another version wrote is read without the fields that only that version has; other values are left out", async () => {
  const registry = openRegistry("versions");
  const write = (id: string, value: unknown) =>
    client.txn({ success: [put(`/pipelines/versions/services/${id}`, JSON.stringify(value))] });
  const known = instanceOf("known");
  await write("known", { ...known, region: "eu", load: { ...known.load, gpu_percent: 3 } });
  await write("older", { instance_id: "older" });
  await client.txn({ success: [put("/pipelines/versions/services/broken", "{")] });
  expect((await registry.list()).instances).toEqual([known]);
  const stop = new AbortController();
  let seen: readonly ServiceInstance[] = [];
  const watching = registry.watch((instances) => (seen = instances), stop.signal);
  await until(() => Promise.resolve(seen.length === 1));
  await write("older", instanceOf("older"));
  await until(() => Promise.resolve(seen.length === 2));
  await client.txn({ success: [put("/pipelines/versions/services/known", "[]")] });
  await until(() => Promise.resolve(seen.length === 1));
  expect(seen[0]?.instance_id).toBe("older");
  stop.abort();
  await watching;
  await client.txn({ success: ["known", "older", "broken"].map((id) => remove(`/pipelines/versions/services/${id}`)) });
});
