import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import type { TelemetryStore } from "../../src/pipeline/store/telemetry-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// What a collector does with the messages that it has claimed when it is stopped and its store is slow. The store of these tests
// commits when the test lets it.

const log = unshownLog();
let opened: OpenStore;
let slow: { store: TelemetryStore; answer: () => void; started: Promise<void> };
let clock: ManualClock;
let queue: MemoryQueue;

beforeAll(async () => void (opened = await openMemoryStore()));
afterAll(() => opened.close());

beforeEach(() => {
  const [gate, started] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const store: TelemetryStore = Object.create(opened.store, {
    ingest: {
      value: async (message: Parameters<TelemetryStore["ingest"]>[0]) => {
        started.resolve();
        await gate.promise;
        return opened.store.ingest(message);
      },
    },
  }) as TelemetryStore;
  slow = { store, answer: gate.resolve, started: started.promise };
  clock = new ManualClock();
  queue = new MemoryQueue({ topic: "t", clock, capacityMessages: 10, leaseSeconds: 30, maxAttempts: 1 });
});

afterEach(() => queue.close());

/** Starts a collector; resolves when it stores a message. */
async function collect(drainOnStop: boolean): Promise<Collector> {
  const collector = new Collector({
    admit: () => Promise.resolve(),
    ...{ consumerId: "c", queue, store: slow.store, workers: 1, leaseSeconds: 30, drainOnStop },
    hotTier: new MemoryHotTier({ onCoalesced: () => undefined }),
    ...{ clock, log, listener: silentListener },
  });
  await collector.start();
  const batch = makeBatch([{ uuid: "gpu-0", timeMs: Date.UTC(2025, 6, 18), metrics: { temperature: 40 } }]);
  const source = { sourceId: "s", from: { offset: 0, line: 1 }, to: { offset: 1, line: 2 } };
  const message = { ...encodeBatch(batch), idempotencyKey: "one", traceId: "t", count: 1, source };
  await queue.publish([message], { signal: new AbortController().signal });
  await slow.started;
  return collector;
}

const isSettled = async (promise: Promise<void>): Promise<boolean> => {
  const pending = Symbol("pending");
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
};

test("a collector that is stopped while its store is slow gives its message back within 5 s; the delivery is not counted", async () => {
  const collector = await collect(false);
  const stopped = collector.stop(new AbortController().signal);
  await clock.advance(3000);
  expect(await isSettled(stopped)).toBe(false);
  expect(await queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 1 });
  await clock.advance(2000);
  await stopped;
  expect(await queue.stats()).toMatchObject({ readyMessages: 1, inFlightMessages: 0, deadMessages: 0 });
  const [again] = await queue.claim({ consumerId: "other", maxMessages: 1, signal: new AbortController().signal });
  expect(again?.attempt).toBe(1);
});

test("a message that is stored after it was given back is not acknowledged: another collector finds it stored", async () => {
  const collector = await collect(false);
  await collector.stop(AbortSignal.abort());
  slow.answer();
  await clock.advance(1000);
  expect(await queue.stats()).toMatchObject({ readyMessages: 1, inFlightMessages: 0 });
});

test("a collector whose store answers in time finishes its message", async () => {
  const collector = await collect(false);
  const stopped = collector.stop(new AbortController().signal);
  await clock.advance(3000);
  slow.answer();
  await stopped;
  expect(await queue.stats()).toMatchObject({ readyMessages: 0, inFlightMessages: 0 });
});

test("a collector whose queue ends with the process finishes its message until the deadline, and stops at the deadline", async () => {
  const collector = await collect(true);
  const deadline = new AbortController();
  const stopped = collector.stop(deadline.signal);
  await clock.advance(25_000);
  expect(await isSettled(stopped)).toBe(false);
  deadline.abort();
  await stopped;
  expect(await queue.stats()).toMatchObject({ readyMessages: 1, inFlightMessages: 0 });
});

test("a collector whose queue was closed under it does not claim again and again", async () => {
  const collector = await collect(false);
  let claims = 0;
  const { claim } = queue;
  queue.claim = (options) => {
    claims += 1;
    // a collector that claims again and again would leave this test no time to end
    if (claims > 100) throw new Error("too many claims");
    return claim.call(queue, options);
  };
  await queue.close();
  slow.answer();
  await Bun.sleep(20);
  expect(claims).toBe(1);
  await collector.stop(new AbortController().signal);
});

test("a collector whose claim failed, and whose messages others have taken, is no longer held up", async () => {
  const { claim } = queue;
  let fails = true;
  queue.claim = (options) => {
    if (fails) throw new EtcdUnavailable("a member of etcd does not answer");
    return claim.call(queue, options);
  };
  const collector = new Collector({
    admit: () => Promise.resolve(),
    ...{ consumerId: "c", queue, store: slow.store, workers: 2, leaseSeconds: 30, drainOnStop: false },
    hotTier: new MemoryHotTier({ onCoalesced: () => undefined }),
    ...{ clock, log, listener: silentListener },
  });
  await collector.start();
  await clock.advance(1500);
  expect(collector.error()).toContain("collecting is held up: a member of etcd does not answer");
  fails = false;
  await clock.advance(10_000);
  expect(collector.error()).toBeUndefined();
  await collector.stop(new AbortController().signal);
});
