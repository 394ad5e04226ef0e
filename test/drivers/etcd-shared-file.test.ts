import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { put } from "../../src/etcd/requests.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdRounds } from "../../src/pipeline/source/csv/etcd-rounds.ts";
import type { FileIds } from "../../src/pipeline/source/file-ids.ts";
import { CheckpointKeys } from "../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { EtcdFileIds } from "../../src/pipeline/stream/assignment/etcd-file-ids.ts";
import { ManualClock } from "../support/manual-clock.ts";

let etcd: ProvidedEtcd;
let client: EtcdClient;
/** Distinguishes the files of this test run from those of other runs in the same etcd. */
const run = crypto.randomUUID().slice(0, 8);

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await etcd.stop();
});

test("streamers agree on the start of a round, and a later streamer joins the current round", async () => {
  const rounds = new EtcdRounds(client, systemClock, defaultTopic);
  const other = new EtcdRounds(client, systemClock, defaultTopic);
  expect(await rounds.current(`csv:loop-${run}`)).toBe(0);
  const [mine, theirs] = await Promise.all([
    rounds.startedAtMs(`csv:loop-${run}`, 0),
    other.startedAtMs(`csv:loop-${run}`, 0),
  ]);
  expect(mine).toBe(theirs);
  await rounds.startedAtMs(`csv:loop-${run}`, 1);
  await rounds.startedAtMs(`csv:loop-${run}`, 2);
  expect(await other.current(`csv:loop-${run}`)).toBe(2);
});

test("the plans of a file that is played again and again are deleted after a day, not those of other files", async () => {
  const file = `csv:played-${run}`;
  const clock = new ManualClock(Date.UTC(2030, 0, 10));
  const rounds = new EtcdRounds(client, clock, defaultTopic);
  const planOf = (sourceId: string): string => new CheckpointKeys(defaultTopic, sourceId).plan;
  const hoursAgo = (hours: number): number => clock.nowMs() - hours * 3_600_000;
  const kept = [`${file}:now:${hoursAgo(23)}:7`, `${file}2:now:${hoursAgo(90)}:0`, `${file}:round:5`, file];
  const old = [`${file}:now:${hoursAgo(25)}:6`, `${file}:now:${hoursAgo(900)}:0`, `${file}:round:1`];
  const plans = [...kept, ...old].map(planOf);
  await client.txn({ success: plans.map((key) => put(key, "{}")) });
  await rounds.startedAtMs(file, 1001);
  const found = await Promise.all(plans.map((key) => client.range({ key: Buffer.from(key) })));
  expect(plans.filter((_, index) => found[index]?.kvs.length === 1)).toEqual(kept.map(planOf));
});

test("a file that an earlier version has begun keeps its id, and other content gets an id of its own", async () => {
  const [one, other] = [new EtcdFileIds(client, defaultTopic), new EtcdFileIds(client, defaultTopic)];
  const idsOf = (name: string, digest: string): FileIds => {
    const earlierId = `csv:${name}-${run}:0123456789abcdef`;
    return { id: `${earlierId}-${digest}`, earlierId, digest };
  };
  const [early, replaced, begunAnew, untouched] = [
    idsOf("a", "aa"),
    idsOf("a", "bb"),
    idsOf("b", "cc"),
    idsOf("c", "dd"),
  ];
  const { plan } = new CheckpointKeys(defaultTopic, early.earlierId);
  const { plan: planOfNew } = new CheckpointKeys(defaultTopic, begunAnew.id);
  const { plan: planBehind } = new CheckpointKeys(defaultTopic, begunAnew.earlierId);
  await client.txn({ success: [plan, planOfNew, planBehind].map((key) => put(key, "{}")) });
  expect(await one.choose(early)).toBe(early.earlierId);
  expect(await other.choose(replaced)).toBe(replaced.id);
  expect(await other.choose(early)).toBe(early.earlierId);
  // its streamers already read it, although a process of the earlier version has begun it since
  expect(await one.choose(begunAnew)).toBe(begunAnew.id);
  expect(await one.choose(untouched)).toBe(untouched.id);
  expect(await one.choose({ ...early, id: early.earlierId, digest: undefined })).toBe(early.earlierId);
});
