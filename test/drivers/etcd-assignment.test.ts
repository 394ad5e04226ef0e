import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { defaultClusterId, defaultTopic } from "../../src/domain/default-names.ts";
import { EtcdUnavailable, RangeLost } from "../../src/domain/errors.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { retry } from "../../src/kit/retry.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { CheckpointKeys } from "../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import { EtcdAssignment } from "../../src/pipeline/stream/assignment/etcd-assignment.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import type { ClaimedRange } from "../../src/pipeline/stream/assignment/range-assignment.ts";
import type { CsvSource } from "../../src/pipeline/source/csv/csv-source.ts";
import type { RangeBatch } from "../../src/pipeline/source/source.ts";
import {
  exerciseRangeAssignment,
  isWhole,
  messageOf,
  type OpenRangeAssignment,
  readAll,
} from "../contract/range-assignment.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";
import { CsvFolder, manyRows, openCsvSource } from "../support/csv-reading.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const log = unshownLog();
const folder = new CsvFolder();
const never = new AbortController().signal;
let etcd: ProvidedEtcd;
let client: EtcdClient;
let sources = 0;
/** Distinguishes the sources of this test run from those of other runs in the same etcd. */
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

const openAssignment = ({ leaseSeconds = 5, through = client, rangeBytes = 64 * 1024 } = {}): EtcdAssignment =>
  new EtcdAssignment({
    client: through,
    topic: defaultTopic,
    clusterId: defaultClusterId,
    clock: systemClock,
    log,
    streamerId: "test",
    leaseSeconds,
    rangeBytes,
  });

async function open(): Promise<OpenRangeAssignment & { readonly queue: EtcdQueue }> {
  sources += 1;
  const source: CsvSource = await openCsvSource(folder.write(manyRows(2000, sources), `source-${run}-${sources}.csv`), {
    batchRows: 50,
  });
  const queue = new EtcdQueue({
    ...{ client, clock: systemClock, log, leaseSeconds: 5, maxAttempts: 3, capacityMessages: 1000 },
    topic: `ranges-${run}-${sources}`,
  });
  return {
    source,
    queue,
    assignment: openAssignment(),
    openOther: () => openAssignment(),
    settle: ({ checkpoint }, batch) => queue.publish([messageOf(batch)], { signal: never, checkpoint }),
    close: () => queue.close(),
  };
}

exerciseRangeAssignment("EtcdAssignment", open);

test("a streamer that finishes its range after another one has set the plan to done leaves no range behind", async () => {
  const opened = await open();
  const { source, assignment, settle } = opened;
  const other = openAssignment();
  const claimed: ClaimedRange[] = [];
  // both reads end together: one streamer publishes all ranges, and has not yet finished the last one
  for (;;) {
    const range = await assignment.claim(source, AbortSignal.timeout(2000));
    if (range === undefined) break;
    for await (const batch of source.read(range.range, never)) await settle(range, batch);
    claimed.push(range);
    if (range.range.to.offset === source.whole.to.offset) break;
    await range.finish();
  }
  expect(await other.claim(source, AbortSignal.timeout(5000))).toBeUndefined();
  await claimed.at(-1)?.finish();
  const { plan, ranges, owners } = new CheckpointKeys(defaultTopic, source.sourceId);
  const [plans, left] = await Promise.all([client.range(prefixRange(plan)), client.range(prefixRange(ranges))]);
  expect(plans.kvs[0]?.value.toString()).toContain("done");
  expect(left.count).toBe("0");
  expect((await client.range(prefixRange(owners))).count).toBe("0");
  await Promise.all([assignment.close(), other.close(), opened.close()]);
});

test("four streamers share a file: each byte is read exactly once, and at least two of the streamers read a part", async () => {
  const opened = await open();
  const all = [opened.assignment, openAssignment(), openAssignment(), openAssignment()];
  const parts = await Promise.all(all.map((assignment) => readAll(opened, assignment)));
  expect(
    isWhole(
      opened.source,
      parts.flat().sort(([a], [b]) => a - b),
    ),
  ).toBe(true);
  expect(parts.filter((part) => part.length > 0).length).toBeGreaterThan(1);
  expect((await opened.queue.stats()).readyMessages).toBe(parts.flat().length);
  await Promise.all([opened.close(), ...all.map((assignment) => assignment.close())]);
});

test("a claim says how many ranges are left for each streamer that reads", async () => {
  const { source, assignment, openOther, close } = await open();
  const { plan, ranges } = new CheckpointKeys(defaultTopic, source.sourceId);
  const mine = (await assignment.claim(source, never)) as ClaimedRange;
  await until(async () => (await client.range({ key: Buffer.from(plan) })).kvs[0]?.value.includes('"cut"') === true);
  const all = Number((await client.range(prefixRange(ranges))).count);
  expect(all).toBeGreaterThan(2);
  const other = openOther();
  expect((await other.claim(source, never))?.share).toBe(all / 2);
  await mine.finish();
  expect((await assignment.claim(source, never))?.share).toBe((all - 1) / 2);
  await Promise.all([assignment.close(), other.close(), close()]);
});

test("a streamer that waits for ranges reports no error of etcd after etcd has answered again", async () => {
  const { source, assignment, close } = await open();
  const claimed: ClaimedRange[] = [];
  const owned = new AbortController();
  const claimAll = async (): Promise<void> => {
    for (let range = await assignment.claim(source, owned.signal); range;) {
      claimed.push(range);
      range = await assignment.claim(source, owned.signal, () => owned.abort());
    }
  };
  await claimAll();
  const other = openAssignment();
  const ended = new AbortController();
  const retries = new StreamRetries({ clock: systemClock, listener, log });
  retries.record(new EtcdUnavailable("etcd does not answer"));
  const waiting = retries.retrying((answered) => other.claim(source, ended.signal, answered), ended.signal);
  await until(() => retries.error === undefined);
  ended.abort();
  await waiting;
  expect(claimed.length).toBeGreaterThan(0);
  await Promise.all([assignment.close(), other.close(), close()]);
});

test("after a range owner's lease ends, another streamer continues at the checkpoint; the late owner cannot publish", async () => {
  const opened = await open();
  const { source, queue, assignment } = opened;
  const mine = (await assignment.claim(source, never)) as ClaimedRange;
  const [first, second] = await Array.fromAsync(source.read(mine.range, never));
  await opened.settle(mine, first as RangeBatch);
  const { kvs } = await client.range({ key: Buffer.from(mine.checkpoint?.ownerKey ?? "") });
  await client.revokeLease(kvs[0]?.lease ?? "");
  const other = openAssignment();
  const takenRange = (await other.claim(source, never)) as ClaimedRange;
  expect(takenRange.range.from).toEqual((first as RangeBatch).range.to);
  const lateError = await opened.settle(mine, second as RangeBatch).catch((error: unknown) => error);
  expect(lateError).toBeInstanceOf(RangeLost);
  expect((await queue.stats()).readyMessages).toBe(1);
  await Promise.all([other.close(), assignment.close(), opened.close()]);
});

test("a repeated publish adds its message once, and is not refused although the checkpoint was already updated", async () => {
  const opened = await open();
  const claimed = (await opened.assignment.claim(opened.source, never)) as ClaimedRange;
  const [first] = await Array.fromAsync(opened.source.read(claimed.range, never));
  await opened.settle(claimed, first as RangeBatch);
  await opened.settle(claimed, first as RangeBatch);
  expect((await opened.queue.stats()).readyMessages).toBe(1);
  await Promise.all([opened.assignment.close(), opened.close()]);
});

/** Reads a source to its end as a streamer does, and retries failed calls. @returns the start and end of each batch */
async function readThrough(
  { source, queue }: Awaited<ReturnType<typeof open>>,
  assignment: EtcdAssignment,
): Promise<[number, number][]> {
  const ranges = new Map<number, number>();
  const retrying = <T>(operation: () => Promise<T>): Promise<T> =>
    retry(operation, { clock: systemClock, signal: never, onRetry: () => undefined });
  for (;;) {
    const claimed = await retrying(() => assignment.claim(source, never));
    if (claimed === undefined) return [...ranges].sort(([a], [b]) => a - b);
    try {
      for await (const batch of source.read(claimed.range, claimed.lost)) {
        const { checkpoint } = claimed;
        await retrying(() => queue.publish([messageOf(batch)], { signal: never, checkpoint }));
        ranges.set(batch.range.from.offset, batch.range.to.offset);
      }
      if (!claimed.lost.aborted) await retrying(() => claimed.finish());
    } catch (error) {
      if (!(error instanceof RangeLost)) throw error;
    }
  }
}

for (const [which, place] of [
  ["piece", "each of the first pieces of data sent to etcd"],
  ["answer", "each of etcd's first answers"],
] as const) {
  test(`the connection to etcd is cut at ${place}: a source is read to its end, and no range stays claimed`, async () => {
    const { hostname, port } = new URL(etcd.endpoints[0] as string);
    const proxy = await openTcpProxy({ host: hostname, port: Number(port) });
    let cuts = 0;
    do {
      cuts += 1;
      const opened = await open();
      const through = new EtcdClient({ endpoints: [`http://127.0.0.1:${proxy.port}`] });
      proxy.cutAt(cuts, which);
      // a lease that outlives the test: the end of the lease cannot release a claim
      const assignment = openAssignment({ leaseSeconds: 600, through });
      const ranges = await readThrough(opened, assignment);
      expect(isWhole(opened.source, ranges)).toBe(true);
      expect((await opened.queue.stats()).readyMessages).toBe(ranges.length);
      await Promise.all([assignment.close(), opened.close()]);
      through.close();
    } while (proxy.hasCut && cuts < 24);
    expect(cuts).toBeGreaterThan(10);
    await proxy.close();
  }, 120_000);
}

test("a file is divided only as far as streamers will soon read, and is still read to its end", async () => {
  const source = await openCsvSource(folder.write(manyRows(1000, 99), `ahead-${run}.csv`), { batchRows: 50 });
  const assignment = openAssignment({ rangeBytes: 300 });
  const keys = new CheckpointKeys(defaultTopic, source.sourceId);
  const planned = async (): Promise<number> => (await client.range(prefixRange(keys.ranges))).kvs.length;
  const first = await assignment.claim(source, never);
  await until(async () => (await planned()) >= 256, { timeoutMs: 30_000 });
  await Bun.sleep(300);
  const ahead = await planned();
  expect(ahead).toBeLessThanOrEqual(256 + 32);
  await first?.finish();
  let finished = 1;
  for (let claimed = await assignment.claim(source, never); claimed !== undefined; finished += 1) {
    await claimed.finish();
    claimed = await assignment.claim(source, never);
  }
  expect(finished).toBeGreaterThan(ahead);
  await assignment.close();
}, 120_000);
