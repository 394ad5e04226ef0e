import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { type Clock, systemClock as clock } from "../../src/kit/clock.ts";
import { readEnvelope } from "../../src/pipeline/queue/etcd/envelope.ts";
import { decodePayload } from "../../src/pipeline/queue/batch-codec.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import type { MessageEnvelope } from "../../src/pipeline/queue/queue.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { EtcdTargetAssignment } from "../../src/pipeline/stream/assignment/etcd-target-assignment.ts";
import { latestText } from "../../src/pipeline/stream/assignment/stored-plan.ts";
import { TargetKeys } from "../../src/pipeline/stream/assignment/target-keys.ts";
import { Schedule } from "../../src/pipeline/source/schedule.ts";
import { batchAt, liveMessage } from "../contract/live-assignment.ts";
import { runTargets, type RunningTargets } from "../support/target-streamer.ts";
import { ScheduledSource, ToldTargets } from "../support/told-targets.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const log = unshownLog();
const intervalMs = 500;
const leaseSeconds = 2;
let etcd: ProvidedEtcd;
let client: EtcdClient;
let topics = 0;
const run = crypto.randomUUID().slice(0, 8);

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await etcd.stop();
});

/** A streamer with connections of its own, as a process has them. */
class Member {
  readonly targets: ToldTargets;
  private readonly client = new EtcdClient({ endpoints: etcd.endpoints });
  private readonly queue: EtcdQueue;
  private readonly running: RunningTargets;

  constructor(
    readonly name: string,
    topic: string,
    ids: readonly string[],
    clock: Clock,
  ) {
    this.targets = new ToldTargets(ids.map((id) => new ScheduledSource(id, { intervalMs, clock })));
    this.queue = openQueue(this.client, topic);
    this.running = runTargets({
      targets: this.targets,
      queue: this.queue,
      openAssignment: (retries) =>
        new EtcdTargetAssignment({ client: this.client, clock, topic, leaseSeconds, streamerId: name, retries }),
    });
  }

  /** From now on, etcd hears nothing of the streamer. */
  cutOff(): void {
    this.client.close();
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await this.queue.close();
    this.client.close();
  }
}

function openQueue(of: EtcdClient, topic: string): EtcdQueue {
  return new EtcdQueue({ client: of, clock, log, leaseSeconds: 5, maxAttempts: 3, capacityMessages: 100_000, topic });
}

function openPipeline(count: number) {
  topics += 1;
  const topic = `shares-${run}-${topics}`;
  const ids = Array.from({ length: count }, (_, index) => `target-${index}`);
  return {
    topic,
    ids,
    join: (name: string, known: readonly string[] = ids, by = clock) => new Member(name, topic, known, by),
  };
}

/** Names of the owners, by target. */
async function ownersOf(topic: string): Promise<Map<string, string>> {
  const keys = new TargetKeys(topic);
  const { kvs } = await client.range(prefixRange(keys.watched));
  return new Map(
    kvs.flatMap(({ key, value }) => {
      const about = keys.read(key);
      return about?.kind === "owner" ? [[about.id, value.toString()] as const] : [];
    }),
  );
}

/** The revisions at which the targets were claimed. */
async function claimsOf(topic: string): Promise<Map<string, string>> {
  const { kvs } = await client.range(prefixRange(new TargetKeys(topic).owner("")));
  return new Map(kvs.map(({ key, create_revision: revision }) => [key.toString(), revision]));
}

/** The sets of targets that members have published, by the member's name. */
async function setsOf(topic: string): Promise<Map<string, number>> {
  const prefix = new TargetKeys(topic).set("");
  const { kvs } = await client.range(prefixRange(prefix));
  return new Map(kvs.map(({ key, value }) => [key.toString().slice(prefix.length), value.length]));
}

/** Waits until members own all targets, each with its even share. */
async function expectShares(topic: string, shares: Readonly<Record<string, number>>): Promise<void> {
  const counted = async (): Promise<Record<string, number>> => {
    const counts: Record<string, number> = {};
    for (const owner of (await ownersOf(topic)).values()) counts[owner] = (counts[owner] ?? 0) + 1;
    return counts;
  };
  let counts: Record<string, number> = {};
  const wanted = Object.values(shares).toSorted();
  const isEven = async (): Promise<boolean> => {
    counts = await counted();
    const isKnown = Object.keys(counts).every((name) => name in shares);
    return isKnown && Object.values(counts).toSorted().join() === wanted.join();
  };
  await until(isEven, { timeoutMs: 10_000, everyMs: 50 }).catch(() => expect(counts).toEqual(shares));
}

interface PublishedScrape {
  readonly timeMs: number;
  readonly isRead: boolean;
}

/** What the queue has of each target, in the order of publishing. */
async function publishedOf(topic: string): Promise<Map<string, PublishedScrape[]>> {
  const { kvs } = await client.range(prefixRange(`/queue/${encodeURIComponent(topic)}/messages/`));
  const published = new Map<string, PublishedScrape[]>();
  for (const { value } of kvs) {
    const { source, count } = readEnvelope(value) as MessageEnvelope;
    const scrapes = published.get(source.sourceId) ?? [];
    published.set(source.sourceId, [...scrapes, { timeMs: source.from.offset, isRead: count > 0 }]);
  }
  return published;
}

/** Each scheduled time of each target is either published or told as missed. @returns the number of missed times */
function expectEachTimeOnce(published: ReadonlyMap<string, readonly PublishedScrape[]>): number {
  let missed = 0;
  for (const [sourceId, scrapes] of published) {
    const schedule = new Schedule(sourceId, intervalMs);
    let lastMs = (scrapes[0]?.timeMs ?? 0) - intervalMs;
    for (const { timeMs, isRead } of scrapes) {
      const between = schedule.countBetween(lastMs, timeMs);
      expect(timeMs).toBeGreaterThan(lastMs);
      if (isRead) expect({ sourceId, untold: between }).toEqual({ sourceId, untold: 0 });
      else missed += between + 1;
      lastMs = timeMs;
    }
  }
  return missed;
}

test("targets are shared evenly as streamers come, stop and are cut off, and each scheduled time is published or told as missed", async () => {
  const { topic, ids, join } = openPipeline(20);
  const a = join("a");
  await expectShares(topic, { a: 20 });
  const [b, c] = [join("b"), join("c")];
  await expectShares(topic, { a: 7, b: 7, c: 6 });
  await clock.sleep(intervalMs * 2);
  expect(expectEachTimeOnce(await publishedOf(topic))).toBe(0);
  await b.stop();
  await expectShares(topic, { a: 10, c: 10 });
  await clock.sleep(intervalMs * 2);
  expect(expectEachTimeOnce(await publishedOf(topic))).toBe(0);
  c.cutOff();
  await expectShares(topic, { a: 20 });
  await clock.sleep(intervalMs * 2);
  const published = await publishedOf(topic);
  expect(published.size).toBe(ids.length);
  expectEachTimeOnce(published);
  await Promise.all([a.stop(), c.stop()]);
  expect((await ownersOf(topic)).size).toBe(0);
}, 60_000);

test("what a streamer leaves is shared evenly, also if nothing had changed for long", async () => {
  const { topic, join } = openPipeline(60);
  const [a, b, c] = [join("a"), join("b"), join("c")];
  await expectShares(topic, { a: 20, b: 20, c: 20 });
  await clock.sleep(3200); // longer than free targets wait for the one whose share they are
  await c.stop();
  await expectShares(topic, { a: 30, b: 30 });
  await Promise.all([a.stop(), b.stop()]);
}, 30_000);

test("a streamer that has lost its lease goes on scraping, and publishes what it kept when it has its targets again", async () => {
  const { topic, ids, join } = openPipeline(5);
  const a = join("a");
  await expectShares(topic, { a: 5 });
  const keys = new TargetKeys(topic);
  const published = async (): Promise<number> => [...(await publishedOf(topic)).values()].flat().length;
  await until(async () => (await published()) >= 5);
  const { kvs } = await client.range({ key: Buffer.from(keys.member("a")) });
  await client.revokeLease(kvs[0]?.lease ?? "");
  const before = await published();
  await until(async () => (await published()) > before + 15, { timeoutMs: 10_000 });
  expect(expectEachTimeOnce(await publishedOf(topic))).toBe(0);
  expect((await publishedOf(topic)).size).toBe(ids.length);
  await a.stop();
}, 30_000);

test("a streamer that dies before it has published anything leaves the time of its claim: the scrapes since then are missed", async () => {
  const { topic, ids } = openPipeline(1);
  const claimBy = async (streamerId: string): Promise<number> => {
    const of = new EtcdClient({ endpoints: etcd.endpoints });
    const retries = new StreamRetries({ clock, listener: silentListener, log });
    const assignment = new EtcdTargetAssignment({ client: of, clock, topic, leaseSeconds, streamerId, retries });
    assignment.know(new Set(ids));
    const halt = new AbortController();
    const { promise, resolve } = Promise.withResolvers<number>();
    const running = assignment.run(
      { claimed: ({ afterMs }) => resolve(afterMs), excess: () => undefined, taken: () => undefined },
      halt.signal,
    );
    const afterMs = await promise;
    halt.abort();
    await running;
    await assignment.close();
    of.close();
    return afterMs;
  };
  const beforeMs = clock.nowMs();
  const firstMs = await claimBy("a");
  expect(firstMs).toBeWithin(beforeMs, clock.nowMs() + 1);
  expect(await claimBy("b")).toBe(firstMs);
});

test("series that vanish while a target has no streamer end in the first scrape of the next one, whether the last one stopped or died", async () => {
  const { topic, ids, join } = openPipeline(1);
  let metrics: Record<string, number> = { temperature: 30, power_draw: 90 };
  const joined = (name: string): Member => {
    const member = join(name, []);
    member.targets.change(ids.map((id) => new ScheduledSource(id, { intervalMs, clock, metrics: () => metrics })));
    return member;
  };
  const [id = ""] = ids;
  const scrapes = async () => (await publishedOf(topic)).get(id) ?? [];
  const isReadAfter = (afterMs: number) => async () =>
    (await scrapes()).some(({ timeMs, isRead }) => isRead && timeMs > afterMs);
  const first = joined("first");
  await until(isReadAfter(0), { timeoutMs: 20_000 });
  await first.stop();
  const firstLastMs = (await scrapes()).at(-1)?.timeMs ?? NaN;
  metrics = { temperature: 30 };
  const second = joined("second");
  await until(isReadAfter(firstLastMs), { timeoutMs: 20_000 });
  second.cutOff();
  metrics = { power_draw: 90 };
  const secondStopped = second.stop().catch(() => undefined);
  await expectShares(topic, {});
  const secondLastMs = (await scrapes()).at(-1)?.timeMs ?? NaN;
  const third = joined("third");
  await until(isReadAfter(secondLastMs), { timeoutMs: 20_000 });
  const ended = third.targets.current;
  third.targets.change([], ended);
  const latest = { key: Buffer.from(new TargetKeys(topic).latest(id)) };
  await until(async () => (await client.range(latest)).kvs[0]?.lease !== "0", { timeoutMs: 20_000 });
  // nothing is left for a target of that name that comes later
  expect((await client.range({ key: Buffer.from(new TargetKeys(topic).series(id)) })).kvs).toEqual([]);
  await Promise.all([third.stop(), secondStopped]);
  const { kvs } = await client.range(prefixRange(`/queue/${encodeURIComponent(topic)}/messages/`));
  const envelopes = kvs.map(({ value }) => readEnvelope(value) as MessageEnvelope);
  const times = envelopes.map(({ source }) => source.from.offset);
  const queue = openQueue(client, topic);
  const { signal } = new AbortController();
  const deliveries = await queue.claim({ consumerId: "test", maxMessages: envelopes.length, signal });
  const ends = deliveries.flatMap(({ envelope, payload }) => decodePayload({ ...envelope, payload }).ends ?? []);
  await queue.close();
  const isFirstAfter = (lastMs: number, timeMs: number): boolean => !times.some((at) => at > lastMs && at < timeMs);
  expect(ends.map(({ uuid, series }) => [uuid, series])).toEqual([
    [`GPU-${id}`, ["power_draw"]],
    [`GPU-${id}`, ["temperature"]],
    [`GPU-${id}`, ["power_draw"]],
  ]);
  expect(ends[0]?.sinceMs).toBe(firstLastMs);
  expect(ends[1]?.sinceMs).toBeGreaterThanOrEqual(secondLastMs);
  expect(ends.every(({ timeMs }) => times.includes(timeMs))).toBe(true);
  expect(isFirstAfter(ends[2]?.sinceMs ?? NaN, ends[2]?.timeMs ?? NaN)).toBe(true);
}, 90_000);

test("a target that is removed is released, and its ledger ends", async () => {
  const { topic, join } = openPipeline(4);
  const a = join("a");
  await expectShares(topic, { a: 4 });
  const removed = a.targets.current.find(({ sourceId }) => sourceId === "target-3");
  await until(async () => (await publishedOf(topic)).has("target-3"));
  a.targets.change([], removed === undefined ? [] : [removed]);
  await expectShares(topic, { a: 3 });
  const { kvs } = await client.range({ key: Buffer.from(new TargetKeys(topic).latest("target-3")) });
  expect(kvs[0]?.lease).not.toBe("0");
  await a.stop();
}, 30_000);

test("while streamers have different lists, each target is shared among those that know it, no target is free or moves, and no scrape is missed", async () => {
  const { topic, ids, join } = openPipeline(10);
  const a = join("a");
  await expectShares(topic, { a: 10 });
  const b = join("b", ids.slice(0, 3));
  await expectShares(topic, { a: 7, b: 3 });
  const c = join("c", [...ids, "target-of-c"]);
  await expectShares(topic, { a: 4, b: 3, c: 4 });
  expect([...(await setsOf(topic)).keys()]).toEqual(["a", "b", "c"]);
  const claims = await claimsOf(topic);
  // longer than it takes until targets that are free are claimed by any process
  const longAfterMs = clock.nowMs() + 3500;
  await until(
    async () => [...(await publishedOf(topic)).values()].every((of) => (of.at(-1)?.timeMs ?? 0) > longAfterMs),
    { timeoutMs: 15_000, everyMs: 100 },
  );
  expect(await claimsOf(topic)).toEqual(claims);
  expect(expectEachTimeOnce(await publishedOf(topic))).toBe(0);
  const newTarget = c.targets.current.filter(({ sourceId }) => sourceId === "target-of-c");
  a.targets.change(newTarget.map(({ sourceId }) => new ScheduledSource(sourceId, { intervalMs, clock })));
  const sources = c.targets.current.filter(({ sourceId }) => !ids.slice(0, 3).includes(sourceId));
  b.targets.change(sources.map(({ sourceId }) => new ScheduledSource(sourceId, { intervalMs, clock })));
  await until(async () => (await setsOf(topic)).size === 0);
  await expectShares(topic, { a: 4, b: 3, c: 4 });
  await Promise.all([a.stop(), b.stop(), c.stop()]);
  expect(expectEachTimeOnce(await publishedOf(topic))).toBe(0);
}, 60_000);

test("messages of many targets are published together, and only that of a target which another streamer has is refused", async () => {
  const { topic } = openPipeline(0);
  const queue = openQueue(client, topic);
  const keys = new TargetKeys(topic);
  const ids = Array.from({ length: 70 }, (_, index) => `target-${index}`);
  const owners = ids.slice(0, 60).map((id) => put(keys.owner(id), "a"));
  const { revision } = await client.txn({ success: owners });
  const { revision: others } = await client.txn({ success: ids.slice(60).map((id) => put(keys.owner(id), "b")) });
  expect(others).not.toBe(revision);
  // the first target has two messages, which cannot be in the same transaction
  const sent = [...ids.map((id) => ({ id, second: 1 })), { id: "target-0", second: 2 }];
  const messages = sent.map(({ id, second }) => liveMessage(id, batchAt(id, second)));
  const claims = sent.map(({ id, second }) => ({
    ...{ ownerKey: keys.owner(id), ownerRevision: revision },
    position: { key: keys.latest(id), value: latestText(batchAt(id, second).timeMs) },
  }));
  const { signal } = new AbortController();
  const { receipts, depthMessages } = await queue.publish(messages, { signal, claims });
  const refused = receipts.flatMap((receipt, index) => (receipt.refused ? [sent[index]?.id] : []));
  expect(refused).toEqual(ids.slice(60));
  expect(depthMessages).toBe(61);
  const latestOf = async (id: string): Promise<string | undefined> =>
    (await client.range({ key: Buffer.from(keys.latest(id)) })).kvs[0]?.value.toString();
  expect(await latestOf("target-0")).toBe(latestText(batchAt("target-0", 2).timeMs));
  expect(await latestOf("target-69")).toBeUndefined();
  const again = await queue.publish(messages, { signal, claims });
  expect(again.receipts.filter(({ duplicate }) => duplicate)).toHaveLength(61);
  expect(again.depthMessages).toBe(61);
  // a publish that etcd carries out late, after the next one of the same target
  await queue.publish(messages.slice(0, 1), { signal, claims });
  expect(await latestOf("target-0")).toBe(latestText(batchAt("target-0", 2).timeMs));
  await queue.close();
});

test("a streamer whose clock was a minute ahead does not hold back its successor, whose scrapes are stored beside its own", async () => {
  const { topic, ids, join } = openPipeline(3);
  const aheadMs = 60_000;
  const ahead = join("ahead", ids, { ...clock, nowMs: () => clock.nowMs() + aheadMs });
  const scrapesOf = async (id: string) => (await publishedOf(topic)).get(id) ?? [];
  const everyTarget = async (isWanted: (scrapes: readonly PublishedScrape[]) => boolean): Promise<boolean> =>
    (await Promise.all(ids.map(scrapesOf))).every(isWanted);
  await until(() => everyTarget((scrapes) => scrapes.length >= 2), { timeoutMs: 10_000 });
  await ahead.stop();
  const beforeMs = clock.nowMs();
  const successor = join("successor");
  const isRead = ({ timeMs }: PublishedScrape): boolean => timeMs < beforeMs + aheadMs / 2;
  await until(() => everyTarget((scrapes) => scrapes.filter(isRead).length >= 3), { timeoutMs: 10_000 });
  await successor.stop();
  const all = await Promise.all(ids.map(scrapesOf));
  for (const scrapes of all) expect(new Set(scrapes.map(({ timeMs }) => timeMs)).size).toBe(scrapes.length);
});
