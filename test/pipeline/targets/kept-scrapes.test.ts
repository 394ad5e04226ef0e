import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { makeBatch } from "../../../dev/make-batch.ts";
import { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import { metrics as metricsOfCatalogue } from "../../../src/domain/metrics.ts";
import type { SourceReading } from "../../../src/domain/reading.ts";
import { decodePayload } from "../../../src/pipeline/queue/batch-codec.ts";
import type { LiveBatch } from "../../../src/pipeline/source/source.ts";
import type { KeptScrape } from "../../../src/pipeline/stream/targets/kept-scrape.ts";
import { KeptScrapes } from "../../../src/pipeline/stream/targets/kept-scrapes.ts";

const intervalMs = 1000;
const metricNames = metricsOfCatalogue.map(({ name }) => name);

function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

const owner = { sourceId: "scrape:lab:a:9400" };
const other = { sourceId: "scrape:lab:b:9400" };
type Owner = typeof owner;
const limits = { maxScrapes: 64, maxBytes: 1e6 };

function scrape(second: number, of: Owner = owner): LiveBatch {
  const timeMs = second * 1000;
  const batch = makeBatch([{ uuid: "GPU-a", timeMs, metrics: { temperature: 30 } }]);
  const reading: SourceReading = { timeMs, intervalMs, outcome: "read", count: 1 };
  return { timeMs, idempotencyKey: `${of.sourceId}:${timeMs}`, batch, reading };
}

function missed(second: number, count: number, reason: SourceReading["reason"] & string): LiveBatch {
  const timeMs = second * 1000;
  const reading: SourceReading = { timeMs, intervalMs, outcome: "missed", reason, message: "", count };
  return { timeMs, idempotencyKey: `${owner.sourceId}:${timeMs}`, batch: new BatchBuilder().build(), reading };
}

function shown(scrapes: readonly KeptScrape<Owner>[]) {
  return scrapes.map(({ timeMs, missedFor, count, messages }) => {
    return { second: timeMs / 1000, missedFor, count, records: messages[0]?.message.count };
  });
}

/** Publishes a target's scrapes one after the other. */
function drain(kept: KeptScrapes<Owner>, afterMs = -Infinity): ReturnType<typeof shown> {
  const all: ReturnType<typeof shown> = [];
  for (;;) {
    const next = kept.next(limits, () => afterMs);
    if (next.length === 0) return all;
    all.push(...shown(next));
    for (const scrape of next) kept.delete(scrape);
  }
}

describe("scrapes that wait to be published", () => {
  test("keep the ends of series that they tell while there is memory, and say so if there is none", () => {
    const ends = [{ uuid: "GPU-a", timeMs: 2000, sinceMs: 1000, series: ["temperature"] }];
    const telling = (second: number, live: LiveBatch) => {
      return { ...live, batch: { ...live.batch, ends: ends.map((end) => ({ ...end, timeMs: second * 1000 })) } };
    };
    const series = "[]";
    const options = { messageMaxBytes: 1e6, onFull: () => undefined, onDropped: () => undefined };
    const kept = new KeptScrapes<Owner>({ ...options, maxBytes: 1300 });
    expect(kept.add(owner, { ...telling(2, missed(2, 1, "timeout")), series })).toBe(true);
    expect(kept.usedBytes).toBe(500 + "GPU-a".length + "temperature".length + series.length);
    // as many as have room
    expect(kept.add(owner, missed(3, 1, "timeout"))).toBe(true);
    expect(kept.add(owner, missed(4, 1, "timeout"))).toBe(true);
    expect(kept.add(owner, telling(5, missed(5, 1, "timeout")))).toBe(false);
    expect(kept.add(owner, telling(6, missed(6, 1, "refused")))).toBe(false);
    expect(kept.add(owner, { ...missed(7, 1, "no_streamer"), series })).toBe(false);
    expect(kept.add(owner, telling(8, scrape(8)))).toBe(false);
    const told: unknown[] = [];
    for (let [next] = kept.next(limits, () => -Infinity); next !== undefined; [next] = kept.next(limits, () => 0)) {
      const { message } = next.messages[0] as NonNullable<(typeof next.messages)[0]>;
      told.push([next.missedFor, next.count, next.series, decodePayload(message).ends]);
      kept.delete(next);
    }
    expect(told).toEqual([
      ["timeout", 1, series, ends],
      ["timeout", 3, undefined, undefined],
      ["memory_full", 3, undefined, undefined],
    ]);
    expect(kept.usedBytes).toBe(0);
  });

  test("that have ended a target keep the ends without memory, too", () => {
    const kept = new KeptScrapes<Owner>({
      ...{ maxBytes: 0, messageMaxBytes: 1e6, onFull: () => undefined, onDropped: () => undefined },
    });
    const { timeMs, batch, ...of } = missed(2, 0, "timeout");
    const ends = [{ uuid: "GPU-a", timeMs, series: ["temperature"] }];
    const reading: SourceReading = { timeMs, intervalMs: 1, outcome: "missed", count: 0, ended: true };
    expect(kept.add(owner, { ...of, timeMs, batch: { ...batch, ends }, reading, series: "[]" })).toBe(true);
    const [next] = kept.next(limits, () => -Infinity);
    expect(next?.messages.map(({ message }) => decodePayload(message).ends)).toEqual([ends]);
  });

  test("are kept in order, each target's at most once in a batch", () => {
    const kept = new KeptScrapes<Owner>({
      maxBytes: 1e6,
      messageMaxBytes: 1e6,
      onFull: () => undefined,
      onDropped: () => undefined,
    });
    kept.add(owner, scrape(1));
    kept.add(other, scrape(1, other));
    kept.add(owner, scrape(2));
    const first = kept.next(limits, () => -Infinity);
    expect(first.map((of) => [of.owner.sourceId, of.timeMs])).toEqual([
      [owner.sourceId, 1000],
      [other.sourceId, 1000],
    ]);
    for (const of of first) kept.delete(of);
    expect(shown(kept.next(limits, () => -Infinity))).toMatchObject([{ second: 2 }]);
  });

  test("that were missed together count from the first scheduled time after a position, which may be no scheduled time", () => {
    for (const [afterMs, count] of [
      [4000, 5],
      [5001, 4],
      [5800, 4],
      [5999, 4],
      [6000, 3],
      [6400, 3],
      [8999, 1],
    ] as const) {
      const kept = new KeptScrapes<Owner>({
        maxBytes: 1e6,
        messageMaxBytes: 1e6,
        onFull: () => undefined,
        onDropped: () => undefined,
      });
      kept.add(owner, missed(9, 5, "no_streamer"));
      expect([afterMs, drain(kept, afterMs)]).toMatchObject([afterMs, [{ second: 9, count }]]);
    }
  });

  test("that do not fit into the memory are missed, those that follow each other as one", () => {
    const states: boolean[] = [];
    const dropped: number[] = [];
    const onFull = (isFull: boolean): void => void states.push(isFull);
    const onDropped = (_: Owner, { timeMs }: { readonly timeMs: number }): void => void dropped.push(timeMs / 1000);
    const kept = new KeptScrapes<Owner>({ maxBytes: 1000, messageMaxBytes: 1e6, onFull, onDropped });
    for (const second of [1, 2, 3, 4]) kept.add(owner, scrape(second));
    expect(kept.usedBytes).toBeLessThan(2000);
    expect(drain(kept)).toEqual([
      { second: 1, missedFor: undefined, count: 1, records: 1 },
      { second: 4, missedFor: "memory_full", count: 3, records: 0 },
    ]);
    expect([kept.size, kept.usedBytes]).toEqual([0, 0]);
    expect(states).toEqual([true, false]);
    expect(dropped).toEqual([2, 3, 4]);
  });

  test("take about as much memory as is counted: only their compressed messages are kept", () => {
    const kept = new KeptScrapes<Owner>({
      maxBytes: 1e9,
      messageMaxBytes: 1e6,
      onFull: () => undefined,
      onDropped: () => undefined,
    });
    const metrics = Object.fromEntries(metricNames.slice(0, 26).map((name, index) => [name, index]));
    const keep = (second: number): void => {
      const timeMs = second * 1000;
      const batch = makeBatch(Array.from({ length: 8 }, (_, gpu) => ({ uuid: `GPU-${gpu}`, timeMs, metrics })));
      kept.add(owner, { ...scrape(second), batch });
    };
    keep(1);
    const [heapBefore, countedBefore] = [heapBytes(), kept.usedBytes];
    for (let second = 2; second < 502; second += 1) keep(second);
    expect(heapBytes() - heapBefore).toBeLessThan(3 * (kept.usedBytes - countedBefore));
  });

  test("and were missed for another reason keep it while the memory is full", () => {
    const kept = new KeptScrapes<Owner>({
      maxBytes: 1100,
      messageMaxBytes: 1e6,
      onFull: () => undefined,
      onDropped: () => undefined,
    });
    kept.add(owner, missed(1, 1, "timeout"));
    kept.add(owner, missed(2, 1, "timeout"));
    kept.add(owner, missed(3, 1, "timeout"));
    kept.add(owner, missed(4, 1, "refused"));
    expect(drain(kept)).toMatchObject([
      { second: 1, missedFor: "timeout", count: 1 },
      { second: 3, missedFor: "timeout", count: 2 },
      { second: 4, missedFor: "memory_full", count: 1 },
    ]);
  });

  test("do not change after they were sent: they may have been published", () => {
    const kept = new KeptScrapes<Owner>({
      maxBytes: 100,
      messageMaxBytes: 1e6,
      onFull: () => undefined,
      onDropped: () => undefined,
    });
    kept.add(owner, scrape(1));
    for (const sent of kept.next(limits, () => -Infinity)) sent.isSent = true;
    kept.add(owner, scrape(2));
    expect(drain(kept)).toMatchObject([
      { second: 1, count: 1 },
      { second: 2, count: 1 },
    ]);
  });

  test("are not published again where another streamer has published: only the later part is", () => {
    const kept = new KeptScrapes<Owner>({
      maxBytes: 1e6,
      messageMaxBytes: 1e6,
      onFull: () => undefined,
      onDropped: () => undefined,
    });
    kept.add(owner, scrape(1));
    kept.add(owner, missed(6, 5, "no_streamer"));
    kept.add(owner, scrape(7));
    expect(drain(kept, 4000)).toMatchObject([
      { second: 6, missedFor: "no_streamer", count: 2 },
      { second: 7, count: 1 },
    ]);
  });

  test("of a target that this process may not publish are passed over, until they are dropped", () => {
    const kept = new KeptScrapes<Owner>({
      maxBytes: 1e6,
      messageMaxBytes: 1e6,
      onFull: () => undefined,
      onDropped: () => undefined,
    });
    kept.add(owner, scrape(1));
    kept.add(other, scrape(1, other));
    const next = kept.next(limits, (of) => (of === owner ? undefined : -Infinity));
    expect(next.map((of) => of.owner)).toEqual([other]);
    kept.drop(owner);
    expect([kept.countOf(owner), kept.size]).toEqual([0, 1]);
  });
});
