import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";
import type { Gpu } from "../../src/domain/gpu.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import type { EtcdClient, Txn, TxnResult } from "../../src/etcd/etcd-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import { HotKeys, kindOfKey } from "../../src/pipeline/hot/etcd/hot-keys.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { Follower, gpuAt, hotBatch, t0 } from "../support/hot-records.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";

// A record said nothing about its GPU's attributes if the document in the collector's cache had them, or if the collector tried to
// write the document. But another collector may have changed the document since, or before. Gateways then showed the attributes of
// the other collector's record for good.

let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;
const namespace = `changed-${crypto.randomUUID()}`;
let followers: Follower[];

beforeAll(async () => void (etcd = await provideEtcd()), 300_000);
beforeEach(() => void (followers = []));
beforeEach(() => void (client = new NamespacedEtcdClient(etcd, namespace)));
afterEach(async () => void (await Promise.all(followers.map((follower) => follower.stop()))));
afterEach(async () => client.removeAll());
afterEach(() => client.close());
afterAll(async () => etcd.stop());

/** A client that does something else first, when it is about to write the first time. */
class InterruptedClient extends NamespacedEtcdClient {
  private interrupts = 1;

  constructor(private readonly interrupt: () => Promise<void>) {
    super(etcd, namespace);
  }

  override async txn(txn: Txn): Promise<TxnResult> {
    const writes = (txn.success ?? []).some((operation) => operation.request_put !== undefined);
    if (writes && this.interrupts > 0) {
      this.interrupts -= 1;
      await this.interrupt();
    }
    return super.txn(txn);
  }
}

function openTier(on: EtcdClient): EtcdHotTier {
  const onRefused = (reason: Error): never => {
    throw reason;
  };
  const options = { client: on, topic: defaultTopic, clock: systemClock, windowSeconds: 60 };
  return new EtcdHotTier({ ...options, onCoalesced: () => undefined, onRefused });
}

function follow(): Follower {
  const follower = new Follower(openTier(client));
  followers.push(follower);
  return follower;
}

const batch = (at: number, more: Partial<Gpu>, gpuId = 0): RecordBatch =>
  hotBatch([{ gpu: { ...gpuAt("h", gpuId), uuid: "GPU-1", ...more }, timeMs: t0 + at, metrics: { temperature: at } }]);

test("attributes that change and change back are shown, although a collector has not seen the first change", async () => {
  const [one, other] = [openTier(client), openTier(client)];
  const early = follow();
  await one.write(batch(0, { properties: { job: "x" } }));
  await other.write(batch(1, { properties: { job: "x" } }));
  await one.write(batch(2, { properties: { job: "y" } }));
  await other.write(batch(3, { properties: { job: "x" } }));
  for (const follower of [early, follow()]) {
    expect((await follower.newest("GPU-1", t0 + 3)).gpu.properties).toEqual({ job: "x" });
  }
});

test("a GPU that was moved and moved back is where it is, although a collector has not seen the first move", async () => {
  const [one, other] = [openTier(client), openTier(client)];
  const early = follow();
  await one.write(batch(0, {}));
  await other.write(batch(1, {}));
  await one.write(batch(2, { hostname: "other" }));
  await other.write(batch(3, {}));
  for (const follower of [early, follow()]) {
    expect((await follower.newest("GPU-1", t0 + 3)).gpu.hostname).toBe("h");
  }
});

test("an attribute that the newest record leaves open has its late value, although two collectors wrote the GPU at the same time", async () => {
  const one = openTier(client);
  const late = { modelName: "", properties: { job: "y" } };
  const interrupted = new InterruptedClient(() => one.write(batch(0, { properties: { job: "x" } }, 1)));
  const early = follow();
  await openTier(interrupted).write(batch(2, { modelName: "", properties: {} }));
  await one.write(batch(0, late, 1));
  for (const follower of [early, follow()]) {
    await follower.newest("GPU-1", t0 + 2);
    await follower.until((members) => members.get("GPU-1")?.gpu.properties.job === "y");
  }
  interrupted.close();
});

test("a GPU was first seen at its first record, although two collectors wrote the GPU at the same time", async () => {
  const interrupted = new InterruptedClient(() => openTier(client).write(batch(1, {})));
  await openTier(interrupted).write(batch(0, {}));
  expect(await documentOf()).toMatchObject({ first_seen_at: formatTimestamp(t0) });
  interrupted.close();
});

test("the document of a GPU has its newest attributes, although two collectors wrote the GPU at the same time", async () => {
  const interrupted = new InterruptedClient(() => openTier(client).write(batch(0, { properties: { job: "x" } })));
  await openTier(interrupted).write(batch(1, { properties: { job: "y" } }));
  expect(await documentOf()).toMatchObject({ properties: { job: "y" } });
  interrupted.close();
});

/** The document of the only GPU. */
async function documentOf(): Promise<unknown> {
  const { kvs } = await client.range(prefixRange(new HotKeys(defaultTopic).clusters));
  const found = kvs.filter(({ key }) => kindOfKey(key.toString()) === "gpus");
  expect(found).toHaveLength(1);
  return JSON.parse(found[0]?.value.toString() ?? "");
}
