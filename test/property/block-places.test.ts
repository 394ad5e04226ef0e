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
