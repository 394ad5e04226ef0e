import { expect, test } from "bun:test";
import fc from "fast-check";
import { ageText, memoryText, metricText, powerText } from "../../src/dashboard/model/format.ts";
import { metricKeys } from "../../src/dashboard/model/metric.ts";
import { RecordRate } from "../../src/dashboard/model/record-rate.ts";
import { queryOf, sortedBy, sortKeys, viewStateOf } from "../../src/dashboard/model/view-state.ts";

test("a view's URL gives the same view, and the first view needs no query", () => {
  const states = fc.record({
    metric: fc.constantFrom(...metricKeys),
    search: fc.string().map((text) => text.trim()),
    sort: fc.record({ key: fc.constantFrom(...sortKeys), isDescending: fc.boolean() }),
  });
  fc.assert(fc.property(states, (state) => expect(viewStateOf(queryOf(state))).toEqual(state)));
  expect(queryOf(viewStateOf(""))).toBe("");
  expect(viewStateOf("?metric=love&sort=-fear&more=1")).toEqual(viewStateOf(""));
  expect(viewStateOf("?metric=temperature&search=host%3Aa+-b&sort=-age")).toEqual({
    ...{ metric: "temperature", search: "host:a -b" },
    sort: { key: "age", isDescending: true },
  });
});

test("a click on a header sorts numbers from the highest, texts from the first, and the second click turns the order round", () => {
  const first = viewStateOf("").sort;
  expect(sortedBy("power_draw", first)).toEqual({ key: "power_draw", isDescending: true });
  expect(sortedBy("model", first)).toEqual({ key: "model", isDescending: false });
  expect(sortedBy("model", sortedBy("model", first))).toEqual({ key: "model", isDescending: true });
});

test("values have their unit, and an unknown one is not 0", () => {
  expect([metricText("temperature", 0), metricText("temperature", NaN)]).toEqual(["0 °C", "no data"]);
  expect(metricText("gpu_utilization", 85.549)).toBe("85.5 %");
  expect([memoryText(1024, 3072), memoryText(1536, NaN), memoryText(NaN, 5)]).toEqual([
    "1 / 4 GiB",
    "1.5 GiB",
    "no data",
  ]);
  expect([powerText(undefined), powerText(0), powerText(71_250)]).toEqual(["no data", "0 W", "71.3 kW"]);
});

test("an age is in its largest unit", () => {
  const ages = [-5000, 999, 59_999, 60_000, 7_199_999, 86_400_000].map((ageMs) => ageText(0, ageMs));
  expect(ages).toEqual(["0 s", "0 s", "59 s", "1 min", "1 h", "1 d"]);
  expect(ageText(-Infinity, 0)).toBe("never");
});

test("the rate counts the last 10 s, and is unknown before the first record", () => {
  const rate = new RecordRate();
  expect(rate.perSecond(0)).toBeUndefined();
  for (let second = 0; second < 30; second++) for (let each = 0; each < 8; each++) rate.note(second * 1000);
  expect(rate.perSecond(29_999)).toBe(8);
  expect(rate.perSecond(60_000)).toBe(0);
});
