import { expect, test } from "bun:test";
import { SimulatedSource, type SimulatedSourceOptions } from "../../src/pipeline/source/simulated/simulated-source.ts";
import type { LiveBatch } from "../../src/pipeline/source/source.ts";
import { exerciseLiveSource } from "../contract/live-source.ts";
import { ManualClock } from "../support/manual-clock.ts";

const startMs = Date.UTC(2025, 0, 1, 12, 0, 0, 300);
const firstTickMs = startMs - 300;
const never = new AbortController().signal;

function openSource(clock: ManualClock, options: Partial<SimulatedSourceOptions> = {}): SimulatedSource {
  return new SimulatedSource({
    hosts: 2,
    gpusPerHost: 4,
    seed: 5,
    intervalMs: 1000,
    clusterId: "sim",
    clock,
    batchMaxSamples: 5000,
    ...options,
  });
}

for (const batchMaxSamples of [5000, 3 * 17]) {
  exerciseLiveSource(`SimulatedSource with batches of ${batchMaxSamples} samples`, (clock) =>
    Promise.resolve({
      source: openSource(clock, { batchMaxSamples }),
      intervalMs: 1000,
      settled: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }),
  );
}

/** Reads in the background until `end` is called. */
function readAll(source: SimulatedSource): { batches: LiveBatch[]; end: () => Promise<void> } {
  const halt = new AbortController();
  const batches: LiveBatch[] = [];
  const reading = (async () => {
    for await (const batch of source.read(-Infinity, halt.signal)) batches.push(batch);
  })();
  return {
    batches,
    end: () => {
      halt.abort();
      return reading;
    },
  };
}

test("every interval yields the whole fleet once, stamped with the start of that interval", async () => {
  const clock = new ManualClock(startMs);
  const source = openSource(clock);
  const { batches, end } = readAll(source);
  await clock.advance(2700);
  await end();
  expect(batches.map(({ batch }) => batch.timesMs[0])).toEqual([0, 1000, 2000, 3000].map((ms) => firstTickMs + ms));
  for (const { batch } of batches) {
    expect(batch.recordCount).toBe(8);
    expect(batch.columns.size).toBe(17);
    expect(batch.tally).toMatchObject({ rows: 8 * 17, samples: 8 * 17, missing: 0, duplicates: 0 });
  }
  expect(batches.map(({ timeMs }) => timeMs)).toEqual(batches.map(({ batch }) => batch.timesMs[0] ?? NaN));
  expect(source.sourceId).toBe("simulated:sim:2x4:1000ms:5");
});

test("batches carry at most batchMaxSamples samples, and their keys name source, time and GPUs", async () => {
  const clock = new ManualClock(startMs);
  const source = openSource(clock, { batchMaxSamples: 3 * 17 + 5 });
  const { batches, end } = readAll(source);
  await clock.advance(1000);
  await end();
  expect(batches.map(({ batch }) => batch.recordCount)).toEqual([3, 3, 2, 3, 3, 2]);
  const keysAt = (timeMs: number): string[] =>
    ["0-3", "3-6", "6-8"].map((gpus) => `${source.sourceId}:${timeMs}:${gpus}`);
  expect(batches.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
    ...keysAt(firstTickMs),
    ...keysAt(firstTickMs + 1000),
  ]);
  const gpus = batches.slice(0, 3).flatMap(({ batch }) => batch.gpus.map(({ uuid }) => uuid));
  expect(new Set(gpus).size).toBe(8);
});

test("a delayed reader skips missed intervals, which are one missed reading, instead of catching up in a burst", async () => {
  const clock = new ManualClock(startMs);
  const halt = new AbortController();
  const reading = openSource(clock).read(-Infinity, halt.signal)[Symbol.asyncIterator]();
  await reading.next();
  await clock.advance(10_000);
  const missed = (await reading.next()).value as LiveBatch;
  expect(missed.batch.recordCount).toBe(0);
  expect(missed.reading).toMatchObject({
    timeMs: firstTickMs + 9000,
    outcome: "missed",
    reason: "memory_full",
    count: 9,
  });
  const lateBatch = (await reading.next()).value as LiveBatch;
  expect(lateBatch.batch.timesMs[0]).toBe(firstTickMs + 10_000);
  const waiting = reading.next();
  await clock.advance(1000);
  const punctualBatch = (await waiting).value as LiveBatch;
  expect(punctualBatch.batch.timesMs[0]).toBe(firstTickMs + 11_000);
  halt.abort();
  expect((await reading.next()).done).toBe(true);
});

test("intervals that passed while the process was frozen are not said to be the queue's fault", async () => {
  const clock = new ManualClock(startMs);
  const { batches, end } = readAll(openSource(clock));
  await clock.advance(0);
  await clock.freeze(10_000);
  await clock.advance(1000);
  await end();
  const missed = batches.flatMap(({ reading }) => (reading?.outcome === "missed" ? [reading] : []));
  expect(missed).toMatchObject([{ reason: "no_streamer", message: "the streamer was held up", count: 8 }]);
});

test("another process continues from the current time; intervals that no process read are one missed reading", async () => {
  const clock = new ManualClock(startMs);
  const { batches, end } = readAll(openSource(clock));
  await clock.advance(0);
  await end();
  await clock.advance(60_000);
  const reading = openSource(clock)
    .read(batches[0]?.timeMs ?? NaN, never)
    [Symbol.asyncIterator]();
  const missed = (await reading.next()).value as LiveBatch;
  expect(missed.reading).toMatchObject({ timeMs: firstTickMs + 59_000, reason: "no_streamer", count: 59 });
  const next = (await reading.next()).value as LiveBatch;
  expect(next.timeMs).toBe(firstTickMs + 60_000);
});

test("a process that starts within an already published interval waits for the next one", async () => {
  const clock = new ManualClock(startMs);
  const source = openSource(clock, { batchMaxSamples: 4 * 17 });
  const reading = source.read(firstTickMs, never)[Symbol.asyncIterator]();
  const waiting = reading.next();
  await clock.advance(699);
  expect(clock.sleeperCount).toBe(1);
  await clock.advance(1);
  expect(((await waiting).value as LiveBatch).timeMs).toBe(firstTickMs + 1000);
});

test("an abort ends the wait for the next interval immediately", async () => {
  const clock = new ManualClock(startMs);
  const { batches, end } = readAll(openSource(clock));
  await clock.advance(0);
  await end();
  expect(batches).toHaveLength(1);
  expect(clock.sleeperCount).toBe(0);
});

test("batches have fewer records while some GPUs are silent", async () => {
  const clock = new ManualClock(startMs);
  const { batches, end } = readAll(openSource(clock, { hosts: 31, gpusPerHost: 8, seed: 1 }));
  await clock.advance(60_000);
  await end();
  const counts = batches.map(({ batch }) => batch.recordCount);
  expect(Math.min(...counts)).toBeLessThan(248);
  expect(Math.min(...counts)).toBeGreaterThan(230);
});
