import { expect, test } from "bun:test";
import fc from "fast-check";
import { rangeMs } from "../../src/dashboard/model/time-choice.ts";
import { figureKeys } from "../../src/dashboard/model/usage-figures.ts";
import {
  usageGroupNames,
  usageHours,
  usageQueryOf,
  usageRanges,
  usageSortedBy,
  type UsageState,
  usageStateOf,
} from "../../src/dashboard/model/usage-state.ts";

const instant = fc.integer({ min: 0, max: 4e12 });
const window = fc.tuple(instant, fc.integer({ min: 1, max: 1e10 }));
const state: fc.Arbitrary<UsageState> = fc.record({
  time: fc.oneof(
    fc.constantFrom(...usageRanges),
    window.map(([fromMs, lengthMs]) => ({ fromMs, toMs: fromMs + lengthMs })),
  ),
  by: fc.constantFrom(...usageGroupNames),
  holder: fc.dictionary(fc.constantFrom(...usageGroupNames), fc.string({ minLength: 1 }), { noNullPrototype: true }),
  sort: fc.record({ key: fc.constantFrom("name", ...figureKeys), isDescending: fc.boolean() }),
});

test("the URL of the page of namespaces gives back what was chosen, and the first view needs no query", () => {
  fc.assert(fc.property(state, (given) => expect(usageStateOf(usageQueryOf(given))).toEqual(given)));
  expect(usageQueryOf(usageStateOf(""))).toBe("");
  expect(usageStateOf("?by=love&range=15m&sort=-fear&namespace=&more=1")).toEqual(usageStateOf(""));
  expect(usageStateOf("?by=pod&namespace=ml&range=7d&sort=name")).toEqual({
    ...{ time: "7d", by: "pod", holder: { namespace: "ml" } },
    sort: { key: "name", isDescending: false },
  });
});

test("a choice covers the whole hours that have its beginning and its end", () => {
  fc.assert(
    fc.property(window, ([fromMs, lengthMs]) => {
      const toMs = fromMs + lengthMs;
      const hours = usageHours({ fromMs, toMs }, 0);
      expect([hours.fromMs % rangeMs["1h"], (hours.toMs ?? NaN) % rangeMs["1h"]]).toEqual([0, 0]);
      expect(fromMs - hours.fromMs).toBeWithin(0, rangeMs["1h"]);
      expect((hours.toMs ?? NaN) - toMs).toBeWithin(0, rangeMs["1h"]);
    }),
  );
  const nowMs = Date.parse("2026-01-05T12:40:00Z");
  expect(usageHours("1h", nowMs)).toEqual({ fromMs: Date.parse("2026-01-05T11:00:00Z"), toMs: undefined });
  expect(usageHours("1d", nowMs).fromMs).toBe(Date.parse("2026-01-04T12:00:00Z"));
});

test("a click on a header sorts figures from the greatest, names from the first, and the second click turns the order round", () => {
  const { sort } = usageStateOf("");
  expect(usageSortedBy("idle", sort)).toEqual({ key: "idle", isDescending: false });
  expect(usageSortedBy("cost", sort)).toEqual({ key: "cost", isDescending: true });
  expect(usageSortedBy("name", sort)).toEqual({ key: "name", isDescending: false });
});
