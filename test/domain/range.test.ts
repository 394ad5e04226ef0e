import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Position, Stretch } from "../../src/domain/range.ts";
import { gapsOf } from "../../src/pipeline/stream/assignment/gaps.ts";

const at = (offset: number): Position => ({ offset, line: offset / 10 });

test("nothing stored leaves the whole source", () => {
  expect(gapsOf(at(10), 100, [])).toEqual([{ from: at(10), toOffset: 100 }]);
  expect(gapsOf(at(10), undefined, [])).toEqual([{ from: at(10) }]);
});

test("stored stretches are left out, and reading resumes at their ends", () => {
  const stored: Stretch[] = [
    { from: at(10), to: at(30) },
    { from: at(50), to: at(60) },
  ];
  expect(gapsOf(at(10), 100, stored)).toEqual([
    { from: at(30), toOffset: 50 },
    { from: at(60), toOffset: 100 },
  ]);
});

test("a source that is stored to its end leaves nothing", () => {
  expect(gapsOf(at(10), 100, [{ from: at(10), to: at(100) }])).toEqual([]);
});

test("gaps and stored stretches together cover every offset exactly once", () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 10, max: 1000 }), { maxLength: 20 });
  fc.assert(
    fc.property(cuts, (offsets) => {
      const sorted = [...offsets].sort((a, b) => a - b);
      const stored: Stretch[] = [];
      for (let i = 0; i + 1 < sorted.length; i += 2) {
        stored.push({ from: at(sorted[i] as number), to: at(sorted[i + 1] as number) });
      }
      const covered = new Array<number>(1000).fill(0);
      const cover = (from: number, to: number): void => {
        for (let offset = from; offset < to; offset += 1) covered[offset] = (covered[offset] ?? 0) + 1;
      };
      stored.forEach(({ from, to }) => cover(from.offset, to.offset));
      gapsOf(at(10), 1000, stored).forEach(({ from, toOffset }) => cover(from.offset, toOffset as number));
      expect(covered.slice(10).every((times) => times === 1)).toBe(true);
    }),
  );
});
