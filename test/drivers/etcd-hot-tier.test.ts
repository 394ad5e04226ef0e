import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startEtcd } from "../../dev/servers/etcd.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import type { NewestRecord } from "../../src/pipeline/hot/hot-tier.ts";
import { EtcdHotTier, type EtcdHotTierOptions } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { exerciseHotTier, type OpenHotTier } from "../contract/hot-tier.ts";
import { exerciseHotTierDevices } from "../contract/hot-tier-devices.ts";
import { Follower, gpuAt, hotBatch, t0 } from "../support/hot-records.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";

let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `hot-tier-${crypto.randomUUID()}`);
}, 300_000);
afterAll(async () => {
  await client.removeAll();
  client.close();
  await etcd.stop();
});

function fail(reason: Error): never {
  throw reason;
}

const emptyEtcd = (): Promise<void> => client.removeAll();

function openTier(options: Partial<EtcdHotTierOptions> = {}): EtcdHotTier {
  return new EtcdHotTier({
    client,
    topic: defaultTopic,
    clock: systemClock,
    windowSeconds: 60,
    onCoalesced: () => undefined,
    onRefused: fail,
    ...options,
  });
}

async function openEmptyTier(): Promise<OpenHotTier> {
  await emptyEtcd();
  let coalesced = 0;
  const onCoalesced = (records: number): number => (coalesced += records);
  return {
    ...{ hotTier: openTier({ onCoalesced }), other: openTier({ onCoalesced }), coalesced: () => coalesced },
    close: emptyEtcd,
  };
}

exerciseHotTier("EtcdHotTier", openEmptyTier);
exerciseHotTierDevices("EtcdHotTier", openEmptyTier);

async function keys(prefix = "/telemetry/"): Promise<string[]> {
  const { kvs } = await client.range({ ...prefixRange(prefix), keys_only: true });
  return kvs.map(({ key }) => key.toString());
}

async function documentAt(key: string): Promise<unknown> {
  const { kvs } = await client.range({ key: Buffer.from(key) });
  return kvs[0] === undefined ? undefined : JSON.parse(kvs[0].value.toString());
}

describe("in etcd", () => {
  const root = "/telemetry/clusters/c%2F1";
  const record = (at: number, more: Parameters<typeof gpuAt>[2] = {}, gpuId = 0) =>
    hotBatch([{ gpu: gpuAt("host a", gpuId, more), timeMs: t0 + at, metrics: { temperature: at } }]);

  test("the keys form a readable hierarchy, and a GPU's document is written only when the GPU is new or its attributes change", async () => {
    await emptyEtcd();
    const tier = openTier();
    await tier.write(record(0));
    const hostKey = `${root}/hosts/host%20a`;
    expect(await keys()).toEqual([
      "/telemetry/boards/GPU-host%20a-0",
      root,
      hostKey,
      expect.stringMatching(/^\/telemetry\/clusters\/c%2F1\/hosts\/host%20a\/data\/\d{4}-.*Z-/) as unknown as string,
      `${hostKey}/gpus/0`,
    ]);
    expect(await documentAt(root)).toEqual({ id: "c/1", as_of: "2025-07-18T20:42:34Z" });
    expect(await documentAt(hostKey)).toEqual({
      cluster_id: "c/1",
      hostname: "host a",
      as_of: "2025-07-18T20:42:34Z",
    });
    expect(await documentAt(`${hostKey}/gpus/0`)).toEqual({
      uuid: "GPU-host a-0",
      cluster_id: "c/1",
      hostname: "host a",
      gpu_id: 0,
      device: "nvidia0",
      ...{ model_name: "NVIDIA H100", driver_version: "535", properties: { job: "x" } },
      first_seen_at: "2025-07-18T20:42:34Z",
      as_of: "2025-07-18T20:42:34Z",
    });
    const [dataKey = ""] = await keys(`${hostKey}/data/`);
    expect(await documentAt(dataKey)).toEqual({
      records: [
        {
          ...{ uuid: "GPU-host a-0", timestamp: "2025-07-18T20:42:34Z" },
          ...{ gpu_id: 0, device: "nvidia0", model_name: "NVIDIA H100", metrics: { temperature: 0 } },
          ...{ driver_version: "535", properties: { job: "x" } },
        },
      ],
    });
    const revisions = async (): Promise<string[]> => {
      const { kvs } = await client.range(prefixRange(`${hostKey}/gpus/`));
      return kvs.map(({ mod_revision }) => mod_revision);
    };
    const before = await revisions();
    for (let at = 1; at < 20; at += 1) await tier.write(record(at));
    expect(await revisions()).toEqual(before);
    await tier.write(record(20, { driverVersion: "540" }));
    expect(await documentAt(`${hostKey}/gpus/0`)).toMatchObject({
      driver_version: "540",
      as_of: "2025-07-18T20:42:34.020Z",
      first_seen_at: "2025-07-18T20:42:34Z",
    });
  });

  test("after etcd has lost what it had, no document is left out because a process had written it before", async () => {
    const namespace = `lost-${crypto.randomUUID()}`;
    const clients = [new NamespacedEtcdClient(etcd, namespace), new NamespacedEtcdClient(etcd, namespace)] as const;
    const begin = async (mark: string): Promise<void> => {
      await clients[0].removeAll();
      await clients[0].txn({ success: [put("/history", mark)] });
    };
    await begin("first");
    for (const { history } of clients) history.compareMark("/history", "first");
    const [tier, other] = [openTier({ client: clients[0] }), openTier({ client: clients[1] })];
    for (const each of [tier, other]) await each.write(record(0));
    await begin("second");
    await other.write(record(8000));
    await tier.write(record(0));
    const { kvs } = await clients[0].range({ key: Buffer.from(`${root}/hosts/host%20a/gpus/0`) });
    expect(JSON.parse(kvs[0]?.value.toString() ?? "")).toMatchObject({
      first_seen_at: "2025-07-18T20:42:34Z",
      as_of: "2025-07-18T20:42:42Z",
    });
    await clients[0].removeAll();
    for (const each of clients) each.close();
  });

  test("a follower is told which records of other batches a flush has coalesced", async () => {
    await emptyEtcd();
    const hotTier = openTier();
    const arrived: NewestRecord[] = [];
    const unfollow = hotTier.follow({
      onChanges: ({ records }) => arrived.push(...records),
      onFollowing: () => undefined,
      onInterrupted: () => undefined,
    });
    const at = (second: number) => [{ gpu: gpuAt("flushed", 0), timeMs: t0 + second, metrics: { temperature: 1 } }];
    await hotTier.write(hotBatch(at(0)));
    // more than can be flushed one by one
    const writes = 200;
    await Promise.all(Array.from({ length: writes }, (_, index) => hotTier.write(hotBatch(at(index + 1)))));
    await until(() => arrived.some(({ timeMs }) => timeMs === t0 + writes));
    await unfollow();
    const coalesced = arrived.flatMap((record) => record.coalesced ?? []);
    const missing = coalesced.reduce((sum, { records }) => sum + records, 0);
    expect(missing).toBeGreaterThan(0);
    expect(arrived.length + missing).toBe(1 + writes);
    expect(arrived.some(({ timeMs }) => coalesced.some(({ sinceMs }) => sinceMs === timeMs))).toBe(false);
  });

  test("the documents of MIG instances, of open attributes and of shared GPUs are readable, also for earlier versions", async () => {
    await emptyEtcd();
    const tier = openTier();
    const uuid = "GPU-1:mig:3:1g.10gb";
    await tier.write(record(0, { uuid }));
    await tier.write(record(1000, { uuid, driverVersion: "" }));
    await tier.write(record(2000, { uuid, driverVersion: "" }));
    await tier.write(record(500, { uuid, driverVersion: "550" }));
    const hostKey = `${root}/hosts/host%20a`;
    expect(await keys(`${hostKey}/gpus/`)).toEqual([`${hostKey}/gpus/0:mig:3`]);
    expect(await documentAt(`${hostKey}/gpus/0:mig:3`)).toMatchObject({
      ...{ uuid, gpu_id: 0, driver_version: "550" },
      open_since: { driverVersion: "2025-07-18T20:42:34.500Z" },
    });
    await tier.write(record(3000, { uuid: "MIG-6f1c" }));
    expect(await keys(`${hostKey}/gpus/`)).toEqual([`${hostKey}/gpus/0:MIG-6f1c`, `${hostKey}/gpus/0:mig:3`]);
    const workload = (pod: string) => ({ container: "", pod, namespace: "ml" });
    const shared = ["a", "b"].map((pod) => ({
      gpu: gpuAt("host b", 0),
      timeMs: t0,
      metrics: {},
      workload: workload(pod),
    }));
    await tier.write(hotBatch(shared));
    const [dataKey = ""] = await keys(`${root}/hosts/host%20b/data/`);
    expect(await documentAt(dataKey)).toMatchObject({
      records: [{ workload: workload("a"), occupants: [workload("a"), workload("b")] }],
    });
  });

  test("a record is under the host that its GPU is on now, and names its own host; a record without a place has that of its GPU", async () => {
    await emptyEtcd();
    const tier = openTier();
    const gpu = gpuAt("host a", 5, { uuid: "GPU-5" });
    const empty = { gpu: gpuAt("host b", 3, { uuid: "GPU-5" }), timeMs: t0 + 1000, metrics: {} };
    await tier.write(hotBatch([{ gpu, timeMs: t0, metrics: { temperature: 1 } }, empty]));
    const [dataKey = ""] = await keys(`${root}/hosts/host%20b/data/`);
    const own = { cluster_id: "c/1", hostname: "host a", gpu_id: 5, device: "nvidia5", model_name: "NVIDIA H100" };
    const record = { uuid: "GPU-5", timestamp: "2025-07-18T20:42:34Z", metrics: { temperature: 1 } };
    const now = { hostname: "host b", gpu_id: 3, first_seen_at: record.timestamp, as_of: "2025-07-18T20:42:35Z" };
    const element = { ...record, ...own, gpu: expect.objectContaining(now) as unknown };
    expect(await documentAt(dataKey)).toEqual({ records: [element] });
    // as versions wrote it that did not write the place of a record
    await client.txn({ success: [put(dataKey, JSON.stringify({ records: [record] }))] });
    const follower = new Follower(tier);
    const { record: newest } = await follower.newest("GPU-5", t0);
    await follower.stop();
    expect(newest?.gpu).toMatchObject({ hostname: "host b", gpuId: 3, device: "nvidia3", modelName: "NVIDIA H100" });
  });

  test("when a board leaves a slot, the slot's document is deleted or names the board that replaced it", async () => {
    await emptyEtcd();
    const [one, two] = [openTier(), openTier()];
    const board = { uuid: "GPU-moving" };
    await one.write(record(0, board, 0));
    await two.write(record(10, board, 7));
    await one.write(record(5, board, 0));
    const slots = `${root}/hosts/host%20a/gpus/`;
    expect(await keys(slots)).toEqual([`${slots}7`]);
    await one.write(record(20, { uuid: "GPU-other" }, 7));
    await two.write(record(15, board, 7));
    expect(await documentAt(`${slots}7`)).toMatchObject({ uuid: "GPU-other" });
    expect(await keys(slots)).toEqual([`${slots}7`]);
    await two.write(record(30, board, 1));
    expect(await keys(slots)).toEqual([`${slots}1`, `${slots}7`]);
  });

  test("data expires after its window, and a follower still has the newest record", async () => {
    await emptyEtcd();
    const tier = openTier({ windowSeconds: 1 });
    const follower = new Follower(tier);
    await tier.write(record(0));
    await follower.newest("GPU-host a-0", t0);
    expect(await keys(`${root}/hosts/host%20a/data/`)).toHaveLength(1);
    await until(async () => (await keys(`${root}/hosts/host%20a/data/`)).length === 0);
    expect(follower.members.get("GPU-host a-0")?.record?.timeMs).toBe(t0);
    await tier.write(record(1));
    await follower.newest("GPU-host a-0", t0 + 1);
    await follower.stop();
  }, 30_000);

  test("keys written at about the same time share a lease; before the lease ends, later keys get a new lease", async () => {
    await emptyEtcd();
    const tier = openTier({ windowSeconds: 4 });
    const seen = new Set<string>();
    const collectLeases = async (): Promise<number> => {
      const { kvs } = await client.range(prefixRange(`${root}/hosts/host%20a/data/`));
      for (const { lease } of kvs) seen.add(lease);
      return seen.size;
    };
    const started = performance.now();
    for (let at = 0; at < 20; at += 1) await tier.write(record(at));
    const count = await collectLeases();
    // a new lease each second, a quarter of the window: on a busy machine, the writes may take longer
    expect(count).toBeLessThanOrEqual(1 + Math.floor((performance.now() - started) / 1000));
    let at = 20;
    await until(async () => {
      await tier.write(record((at += 1)));
      return (await collectLeases()) > count;
    });
    // far fewer leases than keys
    expect(seen.size).toBeLessThanOrEqual(1 + Math.floor((performance.now() - started) / 1000));
  });

  test("data over windowMaxBytes is deleted before its window ends", async () => {
    await emptyEtcd();
    const tier = openTier({ windowMaxBytes: 2000 });
    for (let at = 0; at < 100; at += 1) await tier.write(record(at));
    const left = await keys(`${root}/hosts/host%20a/data/`);
    expect(left.length).toBeGreaterThan(3);
    expect(left.length).toBeLessThan(12);
  });

  test("a follower receives all records of a host, even if they need several transactions and values", async () => {
    await emptyEtcd();
    const tier = openTier();
    const follower = new Follower(tier);
    const custom = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`a_metric_of_our_own_${index}`, index]),
    );
    const records = Array.from({ length: 700 }, (_, gpuId) => ({
      gpu: gpuAt("large", gpuId),
      timeMs: t0,
      metrics: custom,
    }));
    await tier.write(hotBatch(records));
    await follower.until(
      (members) => members.size === 700 && members.all().every(({ record: newest }) => newest !== undefined),
    );
    await follower.stop();
  });

  test("deleted documents are written again, and unreadable values are skipped", async () => {
    await emptyEtcd();
    const tier = openTier();
    await tier.write(record(0));
    await emptyEtcd();
    const slot = `${root}/hosts/host%20a/gpus/0`;
    await client.txn({
      success: [put(slot, "no JSON"), put(`${root}/hosts/host%20a/data/x`, '{"records":[1,{"uuid":2}]}')],
    });
    const follower = new Follower(tier);
    await tier.write(record(1));
    await follower.newest("GPU-host a-0", t0 + 1);
    expect(await documentAt(slot)).toMatchObject({ uuid: "GPU-host a-0" });
    expect(await keys()).toContain(`${root}/hosts/host%20a`);
    await follower.stop();
  });

  test("a follower lists the state again if events that it missed were compacted, and continues to follow", async () => {
    await emptyEtcd();
    const privateEtcd = await startEtcd({ members: 1 });
    const writer = new EtcdClient({ endpoints: privateEtcd.endpoints });
    const tier = openTier({ client: writer });
    const follower = new Follower(tier);
    await tier.write(record(0));
    await follower.newest("GPU-host a-0", t0);
    const [member] = privateEtcd.members;
    await member?.kill();
    await follower.until(() => follower.calls.includes("interrupted"));
    await member?.start();
    const other = new EtcdClient({ endpoints: privateEtcd.endpoints });
    const otherTier = openTier({ client: other });
    // The follower waits before it reconnects. These writes are compacted meanwhile, so the follower must list the state again.
    let revision = "0";
    for (let at = 1; at < 10; at += 1) {
      await otherTier.write(record(at)).catch(() => undefined);
      revision = (await other.databaseSize()).revision;
      await other.compact(revision, true).catch(() => undefined);
    }
    await follower.newest("GPU-host a-0", t0 + 9);
    await follower.until(() => follower.calls.at(-1) !== "interrupted");
    await follower.stop();
    writer.close();
    other.close();
    await privateEtcd.stop();
  }, 60_000);
});
