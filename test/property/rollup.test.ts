import { expect, test } from "bun:test";
import fc from "fast-check";
import { ExactSums } from "../../src/domain/rollup/exact-sums.ts";
import { addEntries } from "../../src/domain/rollup/metric-rollup.ts";
import { type BlockOfGpu, rollUp } from "../../src/domain/rollup/roll-up.ts";
import { joinRollups, packRollup, type Rollup, unpackRollup } from "../../src/domain/rollup/rollup.ts";

const decimal = fc
  .tuple(fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }), fc.nat(9))
  .map(([integer, digits]) => integer / 10 ** digits);
const value = fc.oneof(
  { weight: 6, arbitrary: decimal },
  { weight: 2, arbitrary: fc.maxSafeInteger() },
  { weight: 1, arbitrary: fc.double({ noNaN: true, min: -1e300, max: 1e300 }) },
);
const values = fc.array(value, { maxLength: 60 });

function sumOf(each: readonly number[]): number {
  const sums = new ExactSums(1);
  for (const one of each) sums.add(0, one);
  return sums.sum(0);
}

test("a sum is the same to the bit in whatever order its values are added", () => {
  fc.assert(
    fc.property(values, fc.infiniteStream(fc.nat()), (given, order) => {
      const shuffled = given
        .map((each) => ({ each, at: order.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ each }) => each);
      expect(Object.is(sumOf(shuffled), sumOf(given))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("decimals are added as decimals", () => {
  expect(sumOf([0.1, 0.2])).toBe(0.3);
  expect(sumOf(new Array<number>(1000).fill(0.1))).toBe(100);
  expect(sumOf([2 ** 53 - 1, 2 ** 53 - 1, 0.5, -(2 ** 53 - 1)])).toBe(2 ** 53 - 0.5 - 1 + 0.5);
  expect(sumOf([1e300, 1, -1e300])).toBe(1);
});

const workloads = [[], ["a"], ["a", "b"], ["b"], [""]].map((names) =>
  names.map((namespace) => ({ container: "c", pod: "p", namespace })),
);
const block = fc
  .array(fc.tuple(fc.option(value, { nil: NaN }), fc.option(fc.maxSafeInteger(), { nil: NaN }), fc.nat(4)), {
    minLength: 1,
    maxLength: 40,
  })
  .map((records) => ({
    timesMs: Float64Array.from(records, (_, index) => index * 1000),
    metrics: new Map([
      ["power_draw", Float64Array.from(records, ([power]) => power)],
      ["pcie_replay_total", Float64Array.from(records, ([, replays]) => replays)],
    ]),
    others: new Map<string, Float64Array>(),
    runs: records.map(([, , held]) => ({ records: 1, attributesId: 1, occupants: workloads[held] ?? [] })),
  }));
const blocks = fc
  .array(block, { minLength: 1, maxLength: 6 })
  .map((each) => each.map((one, index): BlockOfGpu => ({ gpuKey: Math.floor(index / 2) + 1, block: one })));

/** The sum, minimum, maximum and count of a metric, of all entries that are chosen. */
function summary(rollups: readonly Rollup[], name: string, isChosen: (rollup: Rollup, entry: number) => boolean) {
  const sums = new ExactSums(1);
  let [count, min, max] = [0, Infinity, -Infinity];
  for (const rollup of rollups) {
    const ofMetric = rollup.metrics.get(name);
    for (const entry of rollup.gpuKeys.keys()) {
      if (ofMetric === undefined || !isChosen(rollup, entry) || ofMetric.counts[entry] === 0) continue;
      addEntries(sums, ofMetric, { entries: Int32Array.of(entry), cells: new Int32Array(1), length: 1 });
      count += ofMetric.counts[entry] as number;
      min = Math.min(min, ofMetric.minima[entry] as number);
      max = Math.max(max, ofMetric.maxima[entry] as number);
    }
  }
  return { sum: sums.sum(0), count, min, max };
}

test("packed and joined, a rollup says the same as the records, by GPU and by holder", () => {
  fc.assert(
    fc.property(blocks, fc.nat(3), (given, again) => {
      const stored = unpackRollup(packRollup(rollUp(given)));
      // settled again: the entries of the GPU are replaced
      const renewed = rollUp(given.filter(({ gpuKey }) => gpuKey === again));
      const joined = joinRollups(
        [stored, renewed],
        (rollup, entry) => rollup !== stored || rollup.gpuKeys[entry] !== again,
      );
      for (const [gpuKey, holder] of [1, 2, 3].flatMap((key) =>
        [undefined, "a", "b", ""].map((name) => [key, name] as const),
      )) {
        for (const name of ["power_draw", "pcie_replay_total"]) {
          const found = given
            .filter((each) => each.gpuKey === gpuKey)
            .flatMap(({ block: { metrics, runs } }) =>
              [...(metrics.get(name) ?? [])].filter((each, index) => {
                const names = runs[index]?.occupants.map(({ namespace }) => namespace) ?? [];
                const isHeld = holder === undefined || names.includes(holder) || (names.length === 0 && holder === "");
                return isHeld && !Number.isNaN(each);
              }),
            );
          const direct = { sum: sumOf(found), count: found.length, min: Math.min(...found), max: Math.max(...found) };
          const chosen = summary(joined, name, (rollup, entry) => {
            return (
              rollup.gpuKeys[entry] === gpuKey &&
              (holder === undefined || rollup.holders[entry]?.includes(holder) === true)
            );
          });
          expect(chosen).toEqual(direct);
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("increases of a counter add up over the holders, and begin at 0 after a reset", () => {
  const counts = [5, 7, NaN, 2, 2, 10];
  const [entry] = [
    rollUp([
      {
        gpuKey: 1,
        block: {
          timesMs: Float64Array.from(counts, (_, index) => index),
          metrics: new Map([["pcie_replay_total", Float64Array.from(counts)]]),
          others: new Map(),
          runs: counts.map((_, index) => ({ records: 1, attributesId: null, occupants: workloads[index % 2] ?? [] })),
        },
      },
    ]),
  ];
  const changes = entry?.metrics.get("pcie_replay_total")?.changes;
  expect([...(changes?.increases ?? [])]).toEqual([0, 12]);
  expect([...(changes?.firsts ?? [])]).toEqual([5, NaN]);
  expect([...(changes?.lasts ?? [])]).toEqual([NaN, 10]);
});

test("rollups of many entries are divided between GPUs", () => {
  const many = rollUp(
    Array.from({ length: 700 }, (_, gpuKey) => ({
      gpuKey,
      block: {
        timesMs: new Float64Array(2),
        metrics: new Map<string, Float64Array>(),
        others: new Map<string, Float64Array>(),
        runs: [0, 1].map((held) => ({ records: 1, attributesId: null, occupants: workloads[held] ?? [] })),
      },
    })),
  );
  const joined = joinRollups([many], () => true);
  expect(joined.map(({ gpuKeys }) => gpuKeys.length)).toEqual([600, 600, 200]);
  expect(joined.map(({ gpuKeys }) => gpuKeys[0])).toEqual([0, 300, 600]);
});
