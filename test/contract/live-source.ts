import { afterEach, describe, expect, test } from "bun:test";
import type { LiveBatch, LiveSource } from "../../src/pipeline/source/source.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A live source under test. */
export interface OpenLiveSource {
  readonly source: LiveSource;
  /** The time from one reading to the next. */
  readonly intervalMs: number;
  /** Resolves when no reading is under way. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const never = new AbortController().signal;

/** Advances the time by a number of intervals, and lets each reading end before the next interval. */
async function advanceIntervals(clock: ManualClock, { intervalMs, settled }: OpenLiveSource, count: number) {
  for (let passed = 0; passed < count; passed += 1) {
    await clock.advance(intervalMs);
    await settled();
    await clock.advance(0);
  }
}

/** Reads in the background until `end` is called. */
class BackgroundRead {
  readonly batches: LiveBatch[] = [];
  private readonly halt = new AbortController();
  private readonly ended: Promise<void>;

  constructor(source: LiveSource, afterMs: number) {
    this.ended = (async () => {
      for await (const batch of source.read(afterMs, this.halt.signal)) this.batches.push(batch);
    })();
  }

  end(): Promise<void> {
    this.halt.abort();
    return this.ended;
  }

  get timesMs(): number[] {
    return [...new Set(this.batches.map(({ timeMs }) => timeMs))];
  }

  get keys(): string[] {
    return this.batches.map(({ idempotencyKey }) => idempotencyKey);
  }
}

/** The contract of every driver of a live source.
 *  @param open opens the same source at each call */
export function exerciseLiveSource(name: string, open: (clock: ManualClock) => Promise<OpenLiveSource>): void {
  describe(`${name} keeps the contract of a live source`, () => {
    const opened: OpenLiveSource[] = [];
    const startMs = Date.UTC(2025, 0, 1, 12);
    afterEach(async () => {
      for (const { close } of opened.splice(0)) await close();
    });
    const openAt = async (clock: ManualClock): Promise<OpenLiveSource> => {
      const source = await open(clock);
      opened.push(source);
      return source;
    };

    test("it yields one reading per interval, in order of time, and none before its time", async () => {
      const clock = new ManualClock(startMs);
      const opened = await openAt(clock);
      const read = new BackgroundRead(opened.source, -Infinity);
      await clock.advance(0);
      await opened.settled();
      await clock.advance(0);
      const first = read.timesMs.length;
      await advanceIntervals(clock, opened, 3);
      await read.end();
      expect(read.timesMs.length).toBe(first + 3);
      expect(read.timesMs).toEqual([...read.timesMs].sort((a, b) => a - b));
      for (const timeMs of read.timesMs) expect(timeMs).toBeLessThanOrEqual(clock.nowMs());
    });

    test("every batch carries records and a key of its own", async () => {
      const clock = new ManualClock(startMs);
      const opened = await openAt(clock);
      const read = new BackgroundRead(opened.source, -Infinity);
      await advanceIntervals(clock, opened, 5);
      await read.end();
      expect(read.batches.length).toBeGreaterThan(0);
      expect(new Set(read.keys).size).toBe(read.keys.length);
      for (const { batch } of read.batches) expect(batch.recordCount).toBeGreaterThan(0);
    });

    test("in another process, the source has the same id, and its batches have the same keys", async () => {
      const clock = new ManualClock(startMs);
      const [one, other] = [await openAt(clock), await openAt(clock)];
      expect(other.source.sourceId).toBe(one.source.sourceId);
      const reads = [one, other].map(({ source }) => new BackgroundRead(source, -Infinity));
      await advanceIntervals(clock, { ...one, settled: () => Promise.all([one.settled(), other.settled()]).then() }, 2);
      await Promise.all(reads.map((read) => read.end()));
      expect(reads[1]?.keys).toEqual(reads[0]?.keys as string[]);
    });

    test("a successor continues after the last published batch, and repeats no key", async () => {
      const clock = new ManualClock(startMs);
      const opened = await openAt(clock);
      const before = new BackgroundRead(opened.source, -Infinity);
      await advanceIntervals(clock, opened, 2);
      await before.end();
      const afterMs = before.timesMs.at(-1) ?? NaN;
      const successor = await openAt(clock);
      const after = new BackgroundRead(successor.source, afterMs);
      await advanceIntervals(clock, successor, 3);
      await after.end();
      expect(after.batches.length).toBeGreaterThan(0);
      expect(Math.min(...after.timesMs)).toBeGreaterThan(afterMs);
      expect(after.keys.filter((key) => before.keys.includes(key))).toEqual([]);
    });

    test("a reading that was missed is not yielded later", async () => {
      const clock = new ManualClock(startMs);
      const opened = await openAt(clock);
      const { source, intervalMs } = opened;
      const batches = source.read(-Infinity, never)[Symbol.asyncIterator]();
      const first = batches.next();
      await advanceIntervals(clock, opened, 1);
      await first;
      await clock.advance(10 * intervalMs);
      await batches.return?.();
      const laterRead = new BackgroundRead(source, startMs);
      await clock.advance(0);
      await opened.settled();
      await clock.advance(0);
      await laterRead.end();
      for (const timeMs of laterRead.timesMs) expect(timeMs).toBeGreaterThan(clock.nowMs() - 2 * intervalMs);
    });

    test("each due reading is counted once, also when the process is frozen again and again", async () => {
      const clock = new ManualClock(startMs);
      const opened = await openAt(clock);
      const { intervalMs } = opened;
      const read = new BackgroundRead(opened.source, -Infinity);
      await advanceIntervals(clock, opened, 2);
      for (let freezes = 0; freezes < 3; freezes += 1) await clock.freeze(3 * intervalMs + 2000);
      await advanceIntervals(clock, opened, 2);
      await read.end();
      const dueMs = read.batches
        .flatMap(({ reading: { timeMs = NaN, count = 0 } = {} }) =>
          Array.from({ length: count }, (_, index) => timeMs - index * intervalMs),
        )
        .sort((a, b) => a - b);
      expect(dueMs).toEqual(dueMs.map((_, index) => (dueMs[0] as number) + index * intervalMs));
      expect(dueMs.length).toBeGreaterThan(11);
    });

    test("an abort ends a read without an error, even while it waits for the next reading", async () => {
      const clock = new ManualClock(startMs);
      const { source } = await openAt(clock);
      const read = new BackgroundRead(source, -Infinity);
      await clock.advance(0);
      await read.end();
      expect(clock.sleeperCount).toBe(0);
      expect(await Array.fromAsync(source.read(-Infinity, AbortSignal.abort()))).toEqual([]);
    });
  });
}
