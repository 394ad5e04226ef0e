import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { parseConfig } from "../../src/config/parse-config.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { put } from "../../src/etcd/requests.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { type BegunRound, EtcdRounds } from "../../src/pipeline/source/csv/etcd-rounds.ts";
import { type FileIds, idOfContent } from "../../src/pipeline/source/file-ids.ts";
import { CheckpointKeys } from "../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { EtcdFileIds } from "../../src/pipeline/stream/assignment/etcd-file-ids.ts";
import { openInputs } from "../../src/roles/open-source.ts";
import { CsvFolder } from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";

const folder = new CsvFolder();
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
  folder.remove();
});

test("streamers agree on the beginning of a round, and a later streamer joins the current round", async () => {
  const rounds = new EtcdRounds(client, systemClock, defaultTopic);
  const other = new EtcdRounds(client, systemClock, defaultTopic);
  const file = `csv:loop-${run}`;
  const [mine, theirs] = await Promise.all([rounds.begin(file, 0), other.begin(file, 0)]);
  expect(mine).toEqual(theirs);
  expect(mine.round).toBe(0);
  await rounds.begin(file, 1);
  const second = await rounds.begin(file, 2);
  expect(await other.begin(file, 0)).toEqual(second);
});

test("a streamer that was frozen while others played further rounds joins the latest one, and begins none of its own", async () => {
  const [rounds, frozen] = [1, 2].map(() => new EtcdRounds(client, systemClock, defaultTopic));
  const file = `csv:frozen-${run}`;
  expect((await frozen?.begin(file, 0))?.round).toBe(0);
  for (let round = 1; round <= 11; round += 1) await rounds?.begin(file, round);
  const latest = await rounds?.begin(file, 11);
  expect(await frozen?.begin(file, 1)).toEqual(latest as BegunRound);
  expect((await frozen?.begin(file, 12))?.round).toBe(12);
});

test.each(["now", "original"])(
  "a frozen streamer of a looped file goes on with the round that the others play (%s)",
  async (timestamps) => {
    const path = folder.write(
      `timestamp,metric_name,gpu_id,uuid,Hostname,value\n2025-07-18T20:42:34Z,DCGM_FI_DEV_GPU_TEMP,0,GPU-${run},host-a,41\n`,
      `looped-${timestamps}-${run}.csv`,
    );
    const clock = new ManualClock(Date.UTC(2030, 0, 10));
    const open = async (): Promise<(round: number) => Promise<string | undefined>> => {
      const parts = {
        ...{ clock, log: unshownLog(), rounds: new EtcdRounds(client, clock, defaultTopic), chooseFileId: idOfContent },
        ...{ instanceId: "test", onMissed: () => undefined },
      };
      const config = parseConfig({ CSV_FILE: path, LOOP_MODE: "true", TIMESTAMPS: timestamps });
      const [input] = await openInputs(config, parts);
      if (input?.kind !== "replayable") throw new Error("the file is not read");
      return async (round) => {
        await clock.advance(1000); // the time that a round takes at least
        return (await input.openRound(round))?.sourceId;
      };
    };
    const [other, frozen] = [await open(), await open()];
    expect(await frozen(0)).toBe((await other(0)) as string);
    for (let round = 1; round < 6; round += 1) await other(round);
    const [sixth, joined] = [await other(6), await frozen(1)];
    expect(joined).toBe(sixth as string);
    const [next, followed] = [await frozen(2), await other(7)];
    expect(next).toBe(followed as string);
    expect(next).not.toBe(joined as string);
  },
);

test("a file that is played once with shifted times has one beginning, whatever its rounds were", async () => {
  const rounds = new EtcdRounds(client, systemClock, defaultTopic);
  const file = `csv:once-${run}`;
  for (let round = 0; round < 4; round += 1) await rounds.begin(file, round);
  const once = await rounds.beginOnce(file);
  expect(once.round).toBe(0);
  expect(await rounds.beginOnce(file)).toEqual(once);
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
  await rounds.begin(file, 1001);
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
