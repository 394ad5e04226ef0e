import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  allHours,
  type FigureKey,
  figureKeys,
  figureOf,
  figureSum,
  figureText,
  heldRows,
  inUsageOrder,
  measureOf,
  partText,
  sumText,
  timeSplitOf,
  usageNameOf,
  type UsageRow,
} from "../../src/dashboard/model/usage-figures.ts";

/** A row in which a GPU was held for four hours, active for three of them and effective for two. */
const row = (given: Partial<UsageRow> = {}): UsageRow => ({
  ...{ namespace: "ml", devices: 1, allocated_seconds: 14_400, unallocated_seconds: 0, unknown_seconds: 0 },
  ...{ active_seconds: 10_800, idle_seconds: 3600, effective_seconds: 7200, energy_kwh: 2.4, idle_energy_kwh: 0.4 },
  ...{ effective_by: "tensor", energy_by: "counter" },
  ...given,
});
const unmeasured = { active_seconds: 0, idle_seconds: 0, effective_by: "none", energy_by: "none" };
const texts = (given: UsageRow): string[] => figureKeys.map((key) => figureText(given, key));

test("figures have their unit, and what was not measured or has no price is not 0", () => {
  expect(texts(row({ cost: 10, idle_cost: 2.505, currency: "EUR" }))).toEqual([
    ...["1", "4 h", "3 h", "2 h (tensor)", "1 h", "0.4 kWh", "2.50 EUR", "2.4 kWh", "10.00 EUR"],
  ]);
  const none = "not measured";
  expect(texts(row(unmeasured))).toEqual(["1", "4 h", none, none, none, none, "no price", none, "no price"]);
  expect(texts(row({ idle_seconds: 0 }))[4]).toBe("0 h");
  const little = texts(row({ idle_seconds: 10, idle_energy_kwh: 0.004 }));
  expect([little[4], little[5]]).toEqual(["< 0.01 h", "< 0.01 kWh"]);
});

test("a sum has what is known, and costs only if every row has a price", () => {
  const [priced, free] = [row({ cost: 10, idle_cost: 2, currency: "EUR" }), row(unmeasured)];
  expect([figureSum([priced, free], "allocated"), figureSum([priced, free], "idle")]).toEqual([8, 1]);
  expect([sumText([priced, priced], "cost"), sumText([priced, free], "cost")]).toEqual(["20.00 EUR", "no price"]);
  expect([sumText([free], "active"), sumText([priced], "energy")]).toEqual(["not measured", "2.4 kWh"]);
  expect(measureOf([priced, free])).toBe("tensor");
  expect(measureOf([priced, row({ effective_by: "sm" })])).toBe("tensor or SM");
  expect(measureOf([free])).toBe("");
  const second = row({ allocated_seconds: 862, unknown_seconds: 0 });
  expect(partText(figureSum([second], "allocated"), allHours([second]))).toBe("100 %");
  expect([partText(1, 8), partText(NaN, 8), partText(0, 0)]).toEqual(["12.5 %", "", ""]);
});

test("rows are sorted by every column in both directions, and those without the figure or a name are the last", () => {
  const amount = fc.integer({ min: 0, max: 100_000 });
  const some = fc.record({
    namespace: fc.constantFrom("", "a", "b", "c"),
    ...{ devices: amount, allocated_seconds: amount, active_seconds: amount, idle_seconds: amount },
    ...{ effective_seconds: amount, energy_kwh: amount, idle_energy_kwh: amount },
    ...{ effective_by: fc.constantFrom("none", "sm"), energy_by: fc.constantFrom("none", "power") },
  });
  const key = fc.constantFrom<FigureKey | "name">("name", ...figureKeys);
  fc.assert(
    fc.property(fc.array(some.map(row)), key, fc.boolean(), (rows, by, isDescending) => {
      const shown = inUsageOrder(rows, "namespace", { key: by, isDescending });
      expect([shown.length, new Set(shown)]).toEqual([rows.length, new Set(rows)]);
      const values = shown.map((each) => (by === "name" ? usageNameOf(each, "namespace") : figureOf(each, by)));
      const known = values.filter((value) => value !== "" && !Number.isNaN(value));
      expect(values.slice(0, known.length)).toEqual(known);
      const pairs = known.slice(1).map((value, index) => [known[index], value] as const);
      expect(pairs.filter(([a = 0, b]) => (isDescending ? a < b : a > b))).toEqual([]);
    }),
  );
});

test("the shown parts of the time of all GPUs add up to the shown sum, which is less than 0.02 hours off", () => {
  const seconds = fc.double({ min: 0, max: 1e9, noNaN: true });
  const times = fc.record({ allocated_seconds: seconds, unallocated_seconds: seconds, unknown_seconds: seconds });
  fc.assert(
    fc.property(fc.array(times, { maxLength: 20 }), (all) => {
      const split = timeSplitOf(all.map(row));
      const shown = [split.allocated, split.unallocated, split.unknown].map((hours) => Math.round(hours * 100));
      expect(shown.reduce((sum, part) => sum + part, 0)).toBe(Math.round(split.all * 100));
      const exact = all.reduce(
        (sum, each) => sum + each.allocated_seconds + each.unallocated_seconds + each.unknown_seconds,
        0,
      );
      expect(Math.abs(split.all - exact / 3600)).toBeLessThan(0.02);
    }),
  );
});

test("time that no one held is no row, and time of an unknown holder is one without a name", () => {
  const free = row({ namespace: "", allocated_seconds: 0, unallocated_seconds: 100 });
  const unnamed = row({ namespace: "" });
  expect(heldRows([free, unnamed, row()])).toEqual([unnamed, row()]);
  expect(usageNameOf(unnamed, "namespace")).toBe("");
  expect(usageNameOf(row({ pod: "train-0" }), "pod")).toBe("ml/train-0");
});
