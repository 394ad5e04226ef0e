import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { defaultClusterId, defaultTopic } from "../../src/domain/default-names.ts";
import { OtherStore, UnusableSource } from "../../src/domain/errors.ts";
import { put, prefixRange } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { HotKeys } from "../../src/pipeline/hot/etcd/hot-keys.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { TopicStore } from "../../src/pipeline/queue/etcd/topic-store.ts";
import { EtcdRounds } from "../../src/pipeline/source/csv/etcd-rounds.ts";
import { CheckpointKeys, LiveKeys } from "../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { EtcdAssignment } from "../../src/pipeline/stream/assignment/etcd-assignment.ts";
import { EtcdLiveAssignment } from "../../src/pipeline/stream/assignment/etcd-live-assignment.ts";
import { namedSource } from "../contract/live-assignment.ts";
import { isWhole, messageOf, readAll } from "../contract/range-assignment.ts";
import { CsvFolder, manyRows, openCsvSource } from "../support/csv-reading.ts";
import { Follower, gpuAt, hotBatch, t0 } from "../support/hot-records.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// The drivers of two pipelines on one etcd. One topic's name begins with the other's.

const topics = [defaultTopic, "second", "second-b"];
const log = unshownLog();
const never = new AbortController().signal;
const folder = new CsvFolder();
let etcd: ProvidedEtcd;
let client: NamespacedEtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new NamespacedEtcdClient(etcd, `apart-${crypto.randomUUID()}`);
}, 300_000);
beforeEach(() => client.removeAll());
afterAll(async () => {
  await client.removeAll();
  client.close();
  await etcd.stop();
  folder.remove();
});

test("the keys of the default topic are those of the versions that had no others", () => {
  const { plan, ranges, owners, planner } = new CheckpointKeys("telemetry", "csv:a b.csv:01");
  const root = "/checkpoints/csv%3Aa%20b.csv%3A01";
  expect([plan, ranges, owners, planner]).toEqual([
    `${root}/plan`,
    `${root}/ranges/`,
    `${root}/owners/`,
    `${root}/cutter`,
  ]);
  expect(new LiveKeys("telemetry", "simulated:c")).toEqual({
    owner: "/checkpoints/simulated%3Ac/live/owner",
    latest: "/checkpoints/simulated%3Ac/live/latest",
    series: "/checkpoints/simulated%3Ac/live/series",
  });
  const hot = new HotKeys("telemetry");
  const gpu = { uuid: "GPU-1", clusterId: "c", hostname: "h/1", gpuId: 3 };
  expect([hot.slot(gpu), hot.board("GPU-1")]).toEqual([
    "/telemetry/clusters/c/hosts/h%2F1/gpus/3",
    "/telemetry/boards/GPU-1",
  ]);
});

test("each pipeline reads the same file whole, one after another", async () => {
  const source = await openCsvSource(folder.write(manyRows(500, 1), "shared.csv"), { batchRows: 50 });
  for (const topic of topics) {
    const queue = new EtcdQueue({ client, clock, log, topic, leaseSeconds: 5, maxAttempts: 3, capacityMessages: 1000 });
    const assignment = assignmentFor(topic);
    expect(await assignment.covered(source)).toEqual([]);
    const settle: Parameters<typeof readAll>[0]["settle"] = ({ checkpoint }, batch) =>
      queue.publish([messageOf(batch)], { signal: never, checkpoint });
    const opened = { source, assignment, settle, openOther: () => assignment, close: () => queue.close() };
    const ranges = await readAll(opened, assignment);
    expect(isWhole(source, ranges)).toBe(true);
    expect((await queue.stats()).readyMessages).toBe(ranges.length);
    await Promise.all([assignment.close(), queue.close()]);
  }
});

test("each pipeline owns the same live source at the same time", async () => {
  const source = namedSource("simulated:c");
  const assignments = topics.map(
    (topic) => new EtcdLiveAssignment({ client, topic, clock, streamerId: "test", leaseSeconds: 5 }),
  );
  const claims = await Promise.all(
    assignments.map((assignment) => assignment.claim(source, AbortSignal.timeout(3000))),
  );
  expect(claims.map((claim) => claim?.afterMs)).toEqual([-Infinity, -Infinity, -Infinity]);
  await Promise.all(assignments.map((assignment) => assignment.close()));
});

test("each pipeline counts its own rounds of a file", async () => {
  const [first, second] = [new EtcdRounds(client, clock, "telemetry"), new EtcdRounds(client, clock, "second")];
  for (let round = 0; round < 4; round += 1) await first.begin("csv:a", round);
  expect([await first.begin("csv:a", 0), await second.begin("csv:a", 0)].map(({ round }) => round)).toEqual([3, 0]);
});

test("two pipelines each have their own GPU in the same slot of the same host and cluster", async () => {
  const tiers = topics.map(
    (topic) =>
      new EtcdHotTier({ client, topic, clock, windowSeconds: 60, onCoalesced: () => undefined, onRefused: fail }),
  );
  const followers = tiers.map((tier) => new Follower(tier));
  const uuids = topics.map((topic) => `GPU-of-${topic}`);
  for (const [index, uuid] of uuids.entries()) {
    const gpu = gpuAt("host", 0, { uuid });
    await tiers[index]?.write(hotBatch([{ gpu, timeMs: t0, metrics: { temperature: index } }]));
  }
  for (const [index, uuid] of uuids.entries()) await followers[index]?.newest(uuid, t0);
  for (const [index, uuid] of uuids.entries()) {
    expect(followers[index]?.members.all().map(({ gpu }) => gpu.uuid)).toEqual([uuid]);
  }
  // one that starts later lists the keys
  const late = new Follower(tiers[0] as EtcdHotTier);
  await late.newest(uuids[0] as string, t0);
  expect(late.members.size).toBe(1);
  await Promise.all([...followers, late].map(({ stop }) => stop()));
});

test("a file that is read for one cluster is not read for another, and the plan of an older version is for any", async () => {
  const source = await openCsvSource(folder.write(manyRows(200, 2), "clusters.csv"), { batchRows: 50 });
  const mine = assignmentFor("telemetry");
  await (await mine.claim(source, never))?.release();
  const other = assignmentFor("telemetry", "elsewhere");
  expect(await errorOf(other.claim(source, never))).toBeInstanceOf(UnusableSource);
  expect(String(await errorOf(other.covered(source)))).toContain("is read for CLUSTER_ID=local-cluster");
  // its planner would otherwise overwrite the plan
  await mine.close();
  const { plan } = new CheckpointKeys("telemetry", source.sourceId);
  await client.txn({ success: [put(plan, JSON.stringify({ state: "done", cut_to: source.whole.to }))] });
  expect(await other.covered(source)).toEqual([{ from: source.whole.from, to: source.whole.to }]);
  await other.close();
});

test("of several stores that ask for a topic at the same time, one gets it, and keeps it", async () => {
  const stores = Array.from({ length: 8 }, (_, index) => ({
    id: `id-${index}`,
    description: `PostgreSQL at db-${index}`,
  }));
  const results = await Promise.allSettled(stores.map((store) => topicStore("telemetry").claim(store)));
  const winner = results.findIndex(({ status }) => status === "fulfilled");
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  await topicStore("telemetry").claim({ id: `id-${winner}`, description: "the same, at another address" });
  await topicStore("second").claim({ id: `id-${winner}`, description: "one store, two topics" });
  const error = await errorOf(topicStore("telemetry").claim({ id: "other", description: "PostgreSQL at db-9" }));
  expect(error).toBeInstanceOf(OtherStore);
  expect(String(error)).toContain(`PostgreSQL at db-${winner}`);
});

test("a database that has replaced another one at the same address is told from the old one by the ids", async () => {
  const description = "PostgreSQL at 127.0.0.1:5432/telemetry";
  await topicStore("telemetry").claim({ id: "old-id", description });
  const told = String(await errorOf(topicStore("telemetry").claim({ id: "new-id", description })));
  expect(told).toContain(`belongs to another database: ${description}, whose id is old-id (since `);
  expect(told).toContain(
    `This process has ${description}, whose id is new-id: at the same address, the database was replaced`,
  );
  expect(told).toContain("delete /queue/telemetry/store from etcd");
  const unused = await errorOf(
    topicStore("telemetry").check({ readId: () => Promise.resolve(undefined), description }),
  );
  expect(String(unused)).toContain("which has no id yet: at the same address");
  const moved = await errorOf(topicStore("telemetry").claim({ id: "new-id", description: "PostgreSQL at db-2" }));
  expect(String(moved)).not.toContain("at the same address");
});

test("a store that no collector has used differs from the topic's store, but fits a topic without a store", async () => {
  const unused = { readId: () => Promise.resolve(undefined), description: "PostgreSQL at new" };
  await topicStore("telemetry").check(unused);
  expect((await client.range(prefixRange("/queue/"))).kvs).toEqual([]);
  await topicStore("telemetry").claim({ id: "one", description: "PostgreSQL at one" });
  expect(await errorOf(topicStore("telemetry").check(unused))).toBeInstanceOf(OtherStore);
});

test("a collector may record the topic's store while another process of the same new store compares", async () => {
  const description = "PostgreSQL at one";
  const readId = async () => {
    await topicStore("telemetry").claim({ id: "one", description });
    return undefined; // what was read just before the collector gave the store its id
  };
  await topicStore("telemetry").check({ readId, description });
  await topicStore("telemetry").check({ readId: () => Promise.resolve("one"), description });
});

test("a record of the topic's store that cannot be read is reported, not replaced", async () => {
  await client.txn({ success: [put("/queue/telemetry/store", "no JSON")] });
  const claiming = topicStore("telemetry").claim({ id: "one", description: "PostgreSQL at one" });
  expect(String(await errorOf(claiming))).toContain("an unknown store");
});

function fail(reason: Error): never {
  throw reason;
}

/** `expect(...).rejects` would keep gRPC's responses from arriving. */
function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function topicStore(topic: string): TopicStore {
  return new TopicStore({ client, clock, topic });
}

function assignmentFor(topic: string, clusterId = defaultClusterId): EtcdAssignment {
  const place = { client, topic, clusterId, clock, log };
  return new EtcdAssignment({ ...place, streamerId: "test", leaseSeconds: 5, rangeBytes: 16 * 1024 });
}
