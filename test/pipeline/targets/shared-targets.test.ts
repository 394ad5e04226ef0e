import { expect, test } from "bun:test";
import pino from "pino";
import { until } from "../../../dev/until.ts";
import type { SourceReading } from "../../../src/domain/reading.ts";
import { aborted } from "../../../src/kit/aborted.ts";
import { systemClock as clock } from "../../../src/kit/clock.ts";
import { decodePayload } from "../../../src/pipeline/queue/batch-codec.ts";
import { MemoryQueue } from "../../../src/pipeline/queue/memory/memory-queue.ts";
import { Schedule } from "../../../src/pipeline/source/schedule.ts";
import type { LiveSource } from "../../../src/pipeline/source/source.ts";
import { LocalTargetAssignment } from "../../../src/pipeline/stream/assignment/local-target-assignment.ts";
import type { TargetAssignment, TargetOwner } from "../../../src/pipeline/stream/assignment/target-assignment.ts";
import { batchAt } from "../../contract/live-assignment.ts";
import { runTargets } from "../../support/target-streamer.ts";
import { ScheduledSource, ToldTargets } from "../../support/told-targets.ts";
import { logSerializers } from "../../../src/terminal/log.ts";

const store = { latestInstantMs: () => Promise.resolve(undefined) };

/** Yields a batch, and then waits for its end. */
class OneBatch implements LiveSource {
  readonly description: string;

  constructor(
    readonly sourceId: string,
    private readonly error?: Error,
  ) {
    this.description = sourceId;
  }

  async *read(_afterMs: number, signal: AbortSignal) {
    yield batchAt(this.sourceId, 1);
    if (this.error !== undefined) throw this.error;
    await aborted(signal);
  }
}

function open(sources: readonly LiveSource[] = [], options: { capacityMessages?: number; bufferBytes?: number } = {}) {
  const { capacityMessages = 100, bufferBytes = 1e6 } = options;
  const queue = new MemoryQueue({ topic: "t", clock, capacityMessages, leaseSeconds: 5, maxAttempts: 3 });
  const targets = new ToldTargets(sources);
  const openAssignment = (retries: ConstructorParameters<typeof LocalTargetAssignment>[0]["retries"]) =>
    new LocalTargetAssignment({ store, clock, retries });
  const { stream, stop } = runTargets({ queue, targets, bufferBytes, openAssignment });
  const ready = async (): Promise<number> => (await queue.stats()).readyMessages;
  return { queue, stream, targets, ready, stop };
}

/** Lets the test decide who has which targets. */
class ToldAssignment implements TargetAssignment {
  owner: TargetOwner | undefined;

  run(owner: TargetOwner, signal: AbortSignal): Promise<void> {
    this.owner = owner;
    return aborted(signal);
  }

  know(sourceIds: ReadonlySet<string>): void {
    const { signal: lost } = new AbortController();
    const position = { afterMs: 0, takenUntilMs: -Infinity };
    for (const sourceId of sourceIds) {
      this.owner?.claimed({ sourceId, lost, ...position, series: undefined, forMessage: () => undefined });
    }
  }

  readonly release = () => Promise.resolve();
  readonly leave = () => Promise.resolve();
  readonly close = () => Promise.resolve();
}

test("what other streamers take at once, and this one had not published, is one warning", async () => {
  const queue = new MemoryQueue({ topic: "t", clock, capacityMessages: 1, leaseSeconds: 5, maxAttempts: 3 });
  const ids = ["a", "b", "c", "d"];
  const targets = new ToldTargets([]);
  const assignment = new ToldAssignment();
  const warnings: string[] = [];
  const log = pino(
    { level: "warn", serializers: logSerializers },
    { write: (line: string) => void warnings.push(line) },
  );
  const { stream, stop } = runTargets({ queue, targets, log, openAssignment: () => assignment });
  targets.change(ids.map((id) => new OneBatch(id)));
  await until(async () => stream.share === 4 && (await queue.stats()).readyMessages === 1);
  for (const id of ids) assignment.owner?.taken(id);
  await until(() => warnings.length > 0);
  await stop();
  expect(warnings.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    expect.stringMatching(
      /^[34] scrapes of \w and [23] more targets were not published before another streamer took over$/,
    ),
  ]);
});

const endsOf = new WeakMap<MemoryQueue, { sourceId: string; reading: SourceReading }[]>();

/** The ends of targets among all messages of the queue until now; it takes them from the queue. */
async function endsIn(queue: MemoryQueue) {
  const found = endsOf.get(queue) ?? [];
  endsOf.set(queue, found);
  if ((await queue.stats()).readyMessages === 0) return found;
  const deliveries = await queue.claim({ consumerId: "test", maxMessages: 100, signal: AbortSignal.timeout(1000) });
  await queue.acknowledge(deliveries);
  for (const { envelope, payload } of deliveries) {
    const { reading } = decodePayload({ ...envelope, payload });
    if (reading?.ended === true) found.push({ sourceId: envelope.source.sourceId, reading });
  }
  return found;
}

test("targets that come are read, those that go are not, and a stop ends all", async () => {
  const { stream, targets, ready, stop } = open();
  const [a, b, c] = [new OneBatch("a"), new OneBatch("b"), new OneBatch("c")];
  targets.change([a, b]);
  await until(async () => (await ready()) === 2);
  expect(stream.share).toBe(2);
  targets.change([c], [a]);
  // and that the first one has ended
  await until(async () => (await ready()) === 4 && stream.share === 2);
  targets.change([], [b, c]);
  await until(() => stream.share === 0);
  targets.change([a]);
  await until(() => stream.share === 1);
  await stop();
  expect(stream.share).toBe(0);
});

test("a target that leaves the list has ended, unless it was listed again; a stop ends none", async () => {
  const a = new ScheduledSource("a", { intervalMs: 50, clock });
  const { queue, targets, ready, stop } = open([a, new OneBatch("b")]);
  await until(async () => (await ready()) >= 3);
  targets.change([], [a]);
  targets.change([a]);
  const before = await ready();
  await until(async () => (await ready()) >= before + 2);
  const leftMs = clock.nowMs();
  targets.change([], [a]);
  await until(async () => (await endsIn(queue)).length > 0);
  await stop();
  const ends = await endsIn(queue);
  expect(ends.map(({ sourceId }) => sourceId)).toEqual(["a"]);
  expect(ends[0]?.reading).toMatchObject({ count: 0, ended: true });
  expect(ends[0]?.reading.timeMs).toBeGreaterThanOrEqual(leftMs);
});

test("a target that is to be read differently is read on, with the same id", async () => {
  const a = new ScheduledSource("a", { intervalMs: 50, clock });
  const { stream, targets, ready, stop } = open([a]);
  await until(async () => (await ready()) >= 2);
  targets.change([new ScheduledSource("a", { intervalMs: 50, clock })], [a]);
  const before = await ready();
  await until(async () => (await ready()) >= before + 3);
  expect(stream.share).toBe(1);
  await stop();
});

test("an error of one target that cannot be retried ends the stream with this error", async () => {
  const { targets, stop } = open();
  targets.change([new OneBatch("a"), new OneBatch("b", new Error("broken"))]);
  await clock.sleep(50);
  await expect(stop()).rejects.toThrow("broken");
});

test("while the queue is full, scrapes are kept up to the memory for them; each later one is told as missed, none is silent", async () => {
  const intervalMs = 50;
  const sources = ["a", "b", "c"].map((id) => new ScheduledSource(id, { intervalMs, clock }));
  const { queue, targets, stop, ready } = open(sources, { capacityMessages: 1, bufferBytes: 8000 });
  await until(async () => (await ready()) === 1);
  await clock.sleep(intervalMs * 20);
  expect([...targets.drops.keys()].toSorted()).toEqual(["a memory_full", "b memory_full", "c memory_full"]);
  const times = new Map<string, { timeMs: number; isRead: boolean }[]>();
  const drainUntilMs = clock.nowMs() + 3000;
  while (clock.nowMs() < drainUntilMs) {
    const deliveries = await queue.claim({ consumerId: "test", maxMessages: 10, signal: AbortSignal.timeout(200) });
    for (const { envelope } of deliveries) {
      const { sourceId, from } = envelope.source;
      times.set(sourceId, [...(times.get(sourceId) ?? []), { timeMs: from.offset, isRead: envelope.count > 0 }]);
    }
    await queue.acknowledge(deliveries);
    const newest = [...times.values()].map((of) => of.at(-1));
    if (newest.length === 3 && newest.every((last) => last?.isRead === true && last.timeMs > clock.nowMs() - 300))
      break;
  }
  expect(times.size).toBe(3);
  for (const [sourceId, scrapes] of times) {
    const schedule = new Schedule(sourceId, intervalMs);
    expect(scrapes.some(({ isRead }) => !isRead)).toBe(true);
    scrapes.forEach(({ timeMs, isRead }, index) => {
      const before = scrapes[index - 1]?.timeMs;
      if (before !== undefined && isRead) expect(schedule.countBetween(before, timeMs)).toBe(0);
    });
  }
  const stopping = stop();
  const settled = new AbortController();
  const draining = (async () => {
    while (!settled.signal.aborted) {
      await queue.acknowledge(await queue.claim({ consumerId: "test", maxMessages: 10, signal: settled.signal }));
    }
  })();
  await stopping;
  settled.abort();
  await draining;
}, 30_000);
