import { afterAll, beforeAll, expect, test } from "bun:test";
import pino from "pino";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { EtcdUnavailable, RangeLost } from "../../src/domain/errors.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { CheckpointKeys, LiveKeys } from "../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { EtcdOldPositions } from "../../src/pipeline/stream/assignment/etcd-old-positions.ts";
import { latestText } from "../../src/pipeline/stream/assignment/stored-plan.ts";
import { TargetKeys } from "../../src/pipeline/stream/assignment/target-keys.ts";
import { EtcdLiveAssignment } from "../../src/pipeline/stream/assignment/etcd-live-assignment.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { decodePayload } from "../../src/pipeline/queue/batch-codec.ts";
import { SimulatedSource } from "../../src/pipeline/source/simulated/simulated-source.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { BatchPublisher } from "../../src/pipeline/stream/batch-publisher.ts";
import { LiveStream } from "../../src/pipeline/stream/live-stream.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { Streamer } from "../../src/pipeline/stream/streamer.ts";
import { until } from "../../dev/until.ts";
import type { ClaimedSource } from "../../src/pipeline/stream/assignment/live-assignment.ts";
import {
  batchAt,
  exerciseLiveAssignment,
  liveMessage,
  namedSource,
  type OpenLiveAssignment,
} from "../contract/live-assignment.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { logSerializers } from "../../src/terminal/log.ts";

const silent = unshownLog();
const never = new AbortController().signal;
/** Distinguishes the sources of this test run from those of other runs in the same etcd. */
const run = crypto.randomUUID().slice(0, 8);
let etcd: ProvidedEtcd;
let client: EtcdClient;
let sources = 0;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await etcd.stop();
});

const openAssignment = (): EtcdLiveAssignment =>
  new EtcdLiveAssignment({ client, topic: defaultTopic, clock: systemClock, streamerId: "test", leaseSeconds: 5 });

function open(): Promise<OpenLiveAssignment & { readonly queue: EtcdQueue }> {
  sources += 1;
  const source = namedSource(`fleet-${run}-${sources}`);
  const queue = new EtcdQueue({
    client,
    clock: systemClock,
    log: silent,
    leaseSeconds: 5,
    maxAttempts: 3,
    capacityMessages: 1000,
    topic: `live-${run}-${sources}`,
  });
  return Promise.resolve({
    source,
    queue,
    assignment: openAssignment(),
    openOther: openAssignment,
    settle: ({ checkpoint }, batch) =>
      queue.publish([liveMessage(source.sourceId, batch)], { signal: never, checkpoint }),
    close: () => queue.close(),
  });
}

exerciseLiveAssignment("EtcdLiveAssignment", open);

test("a second streamer waits for a source until the first one releases it, and then claims it", async () => {
  const { source, assignment, close } = await open();
  const other = openAssignment();
  const mine = (await assignment.claim(source, never)) as ClaimedSource;
  let isTaken = false;
  const taking = other.claim(source, never).then((claimed) => {
    isTaken = true;
    return claimed;
  });
  await systemClock.sleep(1500); // longer than the pause after which a waiting streamer checks again
  expect(isTaken).toBe(false);
  await mine.release();
  expect((await taking)?.lost.aborted).toBe(false);
  await Promise.all([assignment.close(), other.close(), close()]);
});

test("a streamer that waits for a source reports no error of etcd after etcd has answered again", async () => {
  const { source, assignment, close } = await open();
  const mine = (await assignment.claim(source, never)) as ClaimedSource;
  const other = openAssignment();
  const retries = new StreamRetries({ clock: systemClock, listener, log: silent });
  retries.record(new EtcdUnavailable("etcd does not answer"));
  const waiting = retries.retrying((answered) => other.claim(source, never, answered), never);
  expect(retries.error).toBeDefined();
  await until(() => retries.error === undefined);
  await mine.release();
  await waiting;
  await Promise.all([assignment.close(), other.close(), close()]);
});

test("a streamer that waits because another one has the source says so once, in the log and in its health", async () => {
  const { source, queue, close } = await open();
  const lines: string[] = [];
  const log = pino({ serializers: logSerializers }, { write: (line: string) => lines.push(line) });
  const reading = fleetStreamer(queue, source.sourceId, 17);
  await reading.start();
  await until(async () => (await queue.stats()).readyMessages > 0);
  const waiting = fleetStreamer(queue, source.sourceId, 17, log);
  await waiting.start();
  await until(() => waiting.activity() !== undefined);
  expect(waiting.activity()).toMatch(/^streamer test reads .*; this one waits until that one stops$/);
  expect(waiting.error()).toBeUndefined();
  await systemClock.sleep(1600); // longer than the pause after which a waiting streamer checks again
  expect(lines.filter((line) => line.includes("streamer test reads"))).toHaveLength(1);
  await reading.stop(AbortSignal.timeout(5000));
  await until(() => waiting.activity()?.includes("waits") !== true);
  await waiting.stop(AbortSignal.timeout(5000));
  await close();
});

test("a streamer whose lease ended publishes nothing more, and its successor repeats none of its batches", async () => {
  const { source, assignment, settle, queue, close } = await open();
  const mine = (await assignment.claim(source, never)) as ClaimedSource;
  await settle(mine, batchAt(source.sourceId, 1));
  const { kvs } = await client.range({ key: Buffer.from(mine.checkpoint?.ownerKey ?? "") });
  await client.revokeLease(kvs[0]?.lease ?? "");
  const other = openAssignment();
  const takenSource = (await other.claim(source, never)) as ClaimedSource;
  expect(takenSource.afterMs).toBe(batchAt(source.sourceId, 1).timeMs);
  const lateError = await settle(mine, batchAt(source.sourceId, 2)).catch((error: unknown) => error);
  expect(lateError).toBeInstanceOf(RangeLost);
  await settle(takenSource, batchAt(source.sourceId, 2));
  expect((await queue.stats()).readyMessages).toBe(2);
  await Promise.all([assignment.close(), other.close(), close()]);
});

test("a streamer that publishes nothing leaves the time of its claim: the readings since then are missed", async () => {
  const { source, assignment, close } = await open();
  const beforeMs = systemClock.nowMs();
  await ((await assignment.claim(source, never)) as ClaimedSource).release();
  const afterMs = systemClock.nowMs();
  const other = openAssignment();
  expect((await other.claim(source, never))?.afterMs).toBeWithin(beforeMs, afterMs + 1);
  await Promise.all([assignment.close(), other.close(), close()]);
});

test("a publish that etcd carries out late, after the next one, does not move the position back", async () => {
  const { source, assignment, settle, close } = await open();
  const claimed = (await assignment.claim(source, never)) as ClaimedSource;
  for (const second of [1, 2, 1]) await settle(claimed, batchAt(source.sourceId, second));
  await claimed.release();
  const other = openAssignment();
  expect((await other.claim(source, never))?.afterMs).toBe(batchAt(source.sourceId, 2).timeMs);
  await Promise.all([assignment.close(), other.close(), close()]);
});

test("a batch that is published twice with the same key is one message", async () => {
  const { source, assignment, settle, queue, close } = await open();
  const claimed = (await assignment.claim(source, never)) as ClaimedSource;
  await settle(claimed, batchAt(source.sourceId, 1));
  await settle(claimed, batchAt(source.sourceId, 1));
  expect((await queue.stats()).readyMessages).toBe(1);
  await Promise.all([assignment.close(), close()]);
});

/** Streamers share only the queue and etcd, as if each ran in its own process. */
function fleetStreamer(queue: EtcdQueue, clusterId: string, batchMaxSamples: number, log = silent): Streamer {
  const fleet = { hosts: 2, gpusPerHost: 4, seed: 1, intervalMs: 50, clusterId };
  const retries = new StreamRetries({ clock: systemClock, listener, log });
  const publisher = new BatchPublisher({
    queue,
    bucket: new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock: systemClock }),
    backPressure: new BackPressure({ lowMessages: 500, highMessages: 900, clock: systemClock }),
    messageMaxBytes: 1_000_000,
    clock: systemClock,
    listener,
    retries,
  });
  const source = new SimulatedSource({ ...fleet, clock: systemClock, batchMaxSamples });
  const stream = new LiveStream({ clock: systemClock, source, assignment: openAssignment(), publisher, retries, log });
  return new Streamer({ name: "streamer", stream, publisher, retries, sourceError: () => undefined, log });
}

/** Claims and acknowledges all ready messages of a queue. @returns "GPU at time" of each record */
async function recordsIn(queue: EtcdQueue): Promise<string[]> {
  const records: string[] = [];
  while ((await queue.stats()).readyMessages > 0) {
    for (const delivery of await queue.claim({ consumerId: "test", maxMessages: 32, signal: never })) {
      const { gpus, gpuIndexes, timesMs } = decodePayload({ ...delivery.envelope, payload: delivery.payload });
      timesMs.forEach((timeMs, record) => records.push(`${gpus[gpuIndexes[record] ?? -1]?.uuid} at ${timeMs}`));
      await queue.acknowledge([delivery]);
    }
  }
  return records;
}

test("streamers that share a fleet publish no record twice, even with batches of different sizes", async () => {
  const { source, queue, close } = await open();
  const streamers = [1, 2, 3].map((gpus) => fleetStreamer(queue, source.sourceId, gpus * 17));
  const published = async (): Promise<number> => (await queue.stats()).readyMessages;
  for (const streamer of streamers) await streamer.start();
  for (const streamer of streamers) {
    const before = await published();
    await until(async () => (await published()) > before + 10);
    await streamer.stop(AbortSignal.timeout(5000));
  }
  const records = await recordsIn(queue);
  expect(records.length).toBeGreaterThan(30);
  expect(new Set(records).size).toBe(records.length);
  await close();
}, 60_000);

test("a streamer owns its sources under one lease; another one waits for them, and takes them over", async () => {
  const names = Array.from({ length: 4 }, (_, index) => `many-${run}-${index}`);
  const [one, other] = [openAssignment(), openAssignment()];
  const claimAll = (assignment: EtcdLiveAssignment) =>
    Promise.all(names.map((name) => assignment.claim(namedSource(name), never)));
  const owned = await claimAll(one);
  const leases = await Promise.all(
    owned.map(async (claimed) => {
      const { kvs } = await client.range({ key: Buffer.from(claimed?.checkpoint?.ownerKey ?? "") });
      return kvs[0]?.lease;
    }),
  );
  expect(new Set(leases).size).toBe(1);
  const taking = claimAll(other);
  await one.close();
  expect((await taking).every((claimed) => claimed?.lost.aborted === false)).toBe(true);
  await other.close();
});

test("positions of sources that no streamer has read for long are removed, unless a streamer has the source again", async () => {
  const topic = `positions-${run}`;
  const [oldMs, newMs] = [Date.UTC(2025, 0, 1), Date.UTC(2025, 2, 1)];
  const old = ["scrape:lab:gone:9400", "nvidia-smi:lab:gone"];
  const kept = ["scrape:lab:gpu1:9400", "scrape:lab:claimed:9400", "nvidia-smi:lab:claimed"];
  const keysOf = (id: string): LiveKeys => new LiveKeys(topic, id);
  const positions = [...old, ...kept].map((id) =>
    put(keysOf(id).latest, latestText(id === "scrape:lab:gpu1:9400" ? newMs : oldMs)),
  );
  const owners = [new TargetKeys(topic).owner("scrape:lab:claimed:9400"), keysOf("nvidia-smi:lab:claimed").owner];
  const plan = new CheckpointKeys(topic, "csv:fleet.csv").plan;
  const series = ["scrape:lab:gone:9400", "scrape:lab:claimed:9400"].map((id) => put(keysOf(id).series, "[]"));
  await client.txn({ success: [...positions, ...series, ...owners.map((key) => put(key, "s")), put(plan, "{}")] });
  expect(await new EtcdOldPositions(client, topic).remove(Date.UTC(2025, 1, 1))).toBe(2);
  const { kvs } = await client.range(prefixRange(`/pipelines/${topic}/checkpoints/`));
  const left = [keysOf("nvidia-smi:lab:claimed").owner, keysOf("scrape:lab:claimed:9400").series, plan];
  const expected = [...kept.map((id) => keysOf(id).latest), ...left];
  expect(kvs.map(({ key }) => key.toString()).toSorted()).toEqual(expected.toSorted());
});
