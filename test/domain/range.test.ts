import { expect, test } from "bun:test";
import fc from "fast-check";
import { gapsIn, joinRanges, type Position, type Range } from "../../src/domain/range.ts";

const at = (offset: number): Position => ({ offset, line: offset / 10 });

const range = (from: number, to: number): Range => ({ from: at(from), to: at(to) });

test("a range that nothing covers is one gap", () => {
  expect(gapsIn(range(10, 100), [])).toEqual([range(10, 100)]);
});

test("covered ranges are left out, and a gap starts at the end of the covered range before it", () => {
  expect(gapsIn(range(10, 100), [range(10, 30), range(50, 60)])).toEqual([range(30, 50), range(60, 100)]);
});

test("a range that is covered completely has no gap", () => {
  expect(gapsIn(range(10, 100), [range(10, 100)])).toEqual([]);
});

test("the parts of covered ranges that are outside a range do not change its gaps", () => {
  expect(gapsIn(range(50, 100), [range(10, 60), range(90, 95), range(120, 130)])).toEqual([
    range(60, 90),
    range(95, 100),
  ]);
  expect(gapsIn(range(50, 60), [range(10, 70), range(80, 90)])).toEqual([]);
});

test("ranges that are adjacent or overlap are joined, and empty ones are left out", () => {
  const ranges = [
    range(10, 10),
    range(10, 30),
    range(30, 30),
    range(30, 50),
    range(40, 45),
    range(60, 60),
    range(70, 80),
  ];
  expect(joinRanges(ranges)).toEqual([range(10, 50), range(70, 80)]);
});

const ranges = fc
  .array(fc.tuple(fc.integer({ min: 10, max: 1000 }), fc.integer({ min: 0, max: 200 })), { maxLength: 20 })
  .map((pairs) => pairs.map(([from, length]) => range(from, Math.min(1000, from + length))))
  .map((unordered) => unordered.sort((a, b) => a.from.offset - b.from.offset));

/** The number of ranges that cover each offset. */
function coverage(covering: readonly Range[]): number[] {
  const times = new Array<number>(1000).fill(0);
  for (const { from, to } of covering) {
    for (let offset = from.offset; offset < to.offset; offset += 1) times[offset] = (times[offset] ?? 0) + 1;
  }
  return times;
}

test("joined ranges cover the offsets of the original ranges, each once, and none is adjacent to the next", () => {
  fc.assert(
    fc.property(ranges, (covering) => {
      const joined = joinRanges(covering);
      expect(coverage(joined)).toEqual(coverage(covering).map((times) => Math.min(1, times)));
      for (const [index, { to }] of joined.entries()) {
        expect(to.offset).toBeLessThan(joined[index + 1]?.from.offset ?? Infinity);
      }
    }),
  );
});

test("an empty range does not divide a gap", () => {
  expect(gapsIn(range(0, 10), [range(4, 4)])).toEqual([range(0, 10)]);
});

test("gaps and joined ranges together cover every offset exactly once, and joining the covered ranges changes no gap", () => {
  fc.assert(
    fc.property(ranges, (covering) => {
      const covered = coverage([...gapsIn(range(10, 1000), covering), ...joinRanges(covering)]);
      expect(covered.slice(10).every((times) => times === 1)).toBe(true);
      expect(gapsIn(range(10, 1000), joinRanges(covering))).toEqual(gapsIn(range(10, 1000), covering));
    }),
  );
});
