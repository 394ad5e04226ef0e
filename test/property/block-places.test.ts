import { expect, test } from "bun:test";
import fc from "fast-check";
import { BlockPlaces, boundsAfter, candidatesOf } from "../../src/pipeline/store/sql/history/block-places.ts";
import type { HistoryPart } from "../../src/pipeline/store/sql/history/history-part.ts";

const none: ReadonlyMap<string, Float64Array> = new Map();
/** Parts of different GPUs, many of which have a record at the same instants. */
const parts: fc.Arbitrary<HistoryPart[]> = fc
  .array(fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 8 }), { maxLength: 20 })
  .map((instants) =>
    instants.map((some, gpuKey) => {
      const timesMs = Float64Array.from(some.toSorted((a, b) => a - b));
      return { gpuKey, timesMs, metrics: none, others: none, runs: [] };
    }),
  );
const cursors = fc.option(fc.record({ timeMs: fc.nat(30), gpuKey: fc.nat(20) }), { nil: undefined });

test("the next places of a page are the same after all others were forgotten, and are in the order of the page", () => {
  fc.assert(
    fc.property(parts, cursors, fc.integer({ min: 1, max: 60 }), fc.boolean(), (some, cursor, count, isForward) => {
      const sign = isForward ? 1 : -1;
      const expected = some
        .flatMap(({ gpuKey, timesMs }) => Array.from(timesMs, (timeMs) => ({ gpuKey, timeMs })))
        .sort((a, b) => sign * (a.timeMs - b.timeMs || a.gpuKey - b.gpuKey))
        .filter((place) => {
          if (cursor === undefined) return true;
          return sign * (place.timeMs - cursor.timeMs || place.gpuKey - cursor.gpuKey) > 0;
        });
      const candidates = some.map((part) => candidatesOf(part, {}, boundsAfter(part, cursor, isForward)));
      const places = new BlockPlaces(isForward);
      for (const each of candidates) places.add([each]).keep(count);
      const kept = places.take(Infinity).map(({ gpuKey, timeMs }) => ({ gpuKey, timeMs }));
      expect(kept).toEqual(expected.slice(0, count));
      const taken = new BlockPlaces(isForward).add(candidates).take(count);
      expect(taken.slice(0, count).map(({ gpuKey, timeMs }) => ({ gpuKey, timeMs }))).toEqual(kept);
    }),
  );
});

/** Blocks of one GPU: each ends before the next one begins. */
const blocksOfOne: fc.Arbitrary<HistoryPart[]> = fc
  .array(fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 })
  .map((blocks) =>
    blocks.map((some, index) => {
      const timesMs = Float64Array.from(
        some.toSorted((a, b) => a - b),
        (timeMs) => 10 * index + timeMs,
      );
      return { gpuKey: 1, timesMs, metrics: none, others: none, runs: [] };
    }),
  );

test("of one GPU, each record's place is taken once, in the order of the page, however many are taken at a time", () => {
  fc.assert(
    fc.property(
      blocksOfOne.chain((blocks) => fc.shuffledSubarray(blocks, { minLength: blocks.length })),
      fc.integer({ min: 1, max: 30 }),
      fc.boolean(),
      (some, count, isForward) => {
        const expected = some.flatMap(({ timesMs }) => [...timesMs]).sort((a, b) => (isForward ? a - b : b - a));
        const places = new BlockPlaces(isForward).add(some.map((part) => candidatesOf(part, {})));
        const taken: number[] = [];
        for (let next = places.take(count); next.length > 0; next = places.take(count)) {
          expect(next.length).toBeGreaterThanOrEqual(Math.min(count, expected.length - taken.length));
          taken.push(...next.map(({ part, index }) => part.timesMs[index] as number));
        }
        expect(taken).toEqual(expected);
      },
    ),
  );
});
