import { expect, test } from "bun:test";
import type { Position } from "../../src/domain/range.ts";
import { gapsOf } from "../../src/pipeline/stream/assignment/gaps.ts";
import { SimulatedSource, type SimulatedSourceOptions } from "../../src/pipeline/source/simulated/simulated-source.ts";
import type { ReadRange, SourceBatch } from "../../src/pipeline/source/source.ts";
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
    ...options,
  });
}

/** Reads in the background, from the start. */
function readAll(source: SimulatedSource): { batches: SourceBatch[]; end: () => Promise<void> } {
  const halt = new AbortController();
  const batches: SourceBatch[] = [];
  const reading = (async () => {
    for await (const batch of source.read({ from: source.start }, halt.signal)) batches.push(batch);
  })();
  return {
    batches,
    end: () => {
      halt.abort();
      return reading;
    },
  };
}

test("every interval gives the whole fleet once, stamped with the whole interval that has begun", async () => {
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
  expect(source.endOffset).toBeUndefined();
  expect(source.sourceId).toBe("sim:sim:2x4:1000ms:5");
});

test("batches carry at most batchSize samples and follow each other without a gap", async () => {
  const clock = new ManualClock(startMs);
  const source = openSource(clock, { batchSize: 3 * 17 + 5 });
  const { batches, end } = readAll(source);
  await clock.advance(1000);
  await end();
  expect(batches.map(({ batch }) => batch.recordCount)).toEqual([3, 3, 2, 3, 3, 2]);
  expect(batches.map(({ range }) => [range.from.offset, range.to.offset])).toEqual(
    [
      [0, 3],
      [3, 6],
      [6, 8],
      [8, 11],
      [11, 14],
      [14, 16],
    ].map((offsets) => offsets.map((offset) => source.start.offset + offset)),
  );
});

test("a reader that was held up skips what it missed instead of catching up in a burst", async () => {
  const clock = new ManualClock(startMs);
  const halt = new AbortController();
  const source = openSource(clock);
  const reading = source.read({ from: source.start }, halt.signal)[Symbol.asyncIterator]();
  await reading.next();
  await clock.advance(10_000);
  const late = (await reading.next()).value as SourceBatch;
  expect(late.batch.timesMs[0]).toBe(firstTickMs + 10_000);
  expect(late.range).toMatchObject({
    from: { offset: source.start.offset + 8 },
    to: { offset: source.start.offset + 11 * 8 },
  });
  const waiting = reading.next();
  await clock.advance(1000);
  const punctual = (await waiting).value as SourceBatch;
  expect(punctual.batch.timesMs[0]).toBe(firstTickMs + 11_000);
  halt.abort();
  expect((await reading.next()).done).toBe(true);
});

test("another process goes on from where the first stopped, in the present; what was missed in between is not made up", async () => {
  const clock = new ManualClock(startMs);
  const { batches, end } = readAll(openSource(clock));
  await clock.advance(0);
  await end();
  await clock.advance(60_000);
  const second = openSource(clock);
  const [{ range: first }] = batches as [SourceBatch];
  expect(second.sourceId).toBe(first.sourceId);
  const stored = [{ from: first.from, to: first.to }];
  expect(gapsOf(first.from, second.endOffset, stored)).toEqual([{ from: first.to }]);
  const reading = second.read({ from: first.to }, never)[Symbol.asyncIterator]();
  const taken = (await reading.next()).value as SourceBatch;
  expect(taken.range.from).toEqual(first.to);
  expect(taken.batch.timesMs[0]).toBe(firstTickMs + 60_000);
});

test("a gap that has passed ends at once and without data, and the rest goes on in the present", async () => {
  const clock = new ManualClock(startMs);
  const source = openSource(clock);
  const positionAt = (tick: number): Position => ({ offset: source.start.offset + tick * 8, line: 0 });
  const stored = [
    { from: positionAt(0), to: positionAt(3) },
    { from: positionAt(20), to: positionAt(30) },
  ];
  await clock.advance(60_000);
  const [passed, rest] = gapsOf(source.start, source.endOffset, stored) as [ReadRange, ReadRange];
  expect(passed).toEqual({ from: positionAt(3), toOffset: positionAt(20).offset });
  expect(await Array.fromAsync(source.read(passed, never))).toEqual([]);
  const taken = (await source.read(rest, never)[Symbol.asyncIterator]().next()).value as SourceBatch;
  expect(taken.range).toMatchObject({ from: positionAt(30), to: positionAt(61) });
  expect(taken.batch.timesMs[0]).toBe(firstTickMs + 60_000);
});

test("a process with another batch size goes on in the middle of a tick", async () => {
  const clock = new ManualClock(startMs);
  const first = openSource(clock, { batchSize: 3 * 17 });
  const stopped = (await first.read({ from: first.start }, never)[Symbol.asyncIterator]().next()).value as SourceBatch;
  const second = openSource(clock, { batchSize: 4 * 17 });
  expect(second.sourceId).toBe(first.sourceId);
  const toOffset = first.start.offset + 8;
  const rest = await Array.fromAsync(second.read({ from: stopped.range.to, toOffset }, never));
  expect(rest.map(({ range }) => range.to.offset - first.start.offset)).toEqual([7, 8]);
  const gpus = [stopped, ...rest].flatMap(({ batch }) => batch.gpus.map(({ uuid }) => uuid));
  expect(new Set(gpus).size).toBe(8);
  expect(gpus).toHaveLength(8);
});

test("it is cut into one stretch that never ends", async () => {
  const source = openSource(new ManualClock(startMs));
  expect(await Array.fromAsync(source.cut(source.start))).toEqual([{ from: source.start, to: undefined }]);
});

test("an abort ends the wait for the next interval at once", async () => {
  const clock = new ManualClock(startMs);
  const { batches, end } = readAll(openSource(clock));
  await clock.advance(0);
  await end();
  expect(batches).toHaveLength(1);
  expect(clock.sleeperCount).toBe(0);
});

test("a silent GPU has no record, the others have theirs", async () => {
  const clock = new ManualClock(startMs);
  const { batches, end } = readAll(openSource(clock, { hosts: 31, gpusPerHost: 8, seed: 1 }));
  await clock.advance(60_000);
  await end();
  const counts = batches.map(({ batch }) => batch.recordCount);
  expect(Math.min(...counts)).toBeLessThan(248);
  expect(Math.min(...counts)).toBeGreaterThan(230);
});
