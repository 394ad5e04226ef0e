import { expect, test } from "bun:test";
import fc from "fast-check";
import { readMetricChoice } from "../../src/domain/metric-choice.ts";
import { namedSeries } from "../../src/pipeline/source/labels/series-labels.ts";
import { toApiSeries } from "../../src/routes/resources/catalogue/series.ts";
import { parseSeries, seriesName, seriesText } from "../../src/domain/series.ts";
import { readSeriesSelector, selectsSeries, splitNames } from "../../src/domain/series-selector.ts";

const odd = fc.constantFrom(
  ...["}", "{", "a}", "{}", "m{}", 'a"b', "a,b", "\\", "a\\", " ", 'm{x="1"}', "é,}", "__proto__", '{"a"}'],
);
const metric = fc.oneof(fc.constantFrom("my_metric", "xid_errors", "other"), odd, fc.string({ minLength: 1 }));
const labels = fc.dictionary(
  fc.constantFrom("xid", "nvlink", "vgpu"),
  fc.oneof(fc.constantFrom(",", '"', "\\", "}", "{", "\n", '",x="'), fc.string({ maxLength: 5 })),
);
const series = fc.record({ metric, labels });
const textOf = seriesText;

test("a list of series and names is split into the same series and names, whatever their labels contain", () => {
  const items = fc.array(fc.oneof(series.map(textOf), fc.constantFrom("temperature", "power_draw")), { minLength: 1 });
  fc.assert(
    fc.property(items, (names) => expect(splitNames(names.join(","))).toEqual(names)),
    { numRuns: 1000 },
  );
});

test("a selector selects a series that has its metric and all of its labels, and no other series", () => {
  const property = fc.property(series, series, (asked, other) => {
    const selector = readSeriesSelector(textOf(asked));
    expect(selector).toEqual(asked);
    // otherwise, the metric's name itself reads as that of a series
    fc.pre(Object.keys(other.labels).length > 0 || parseSeries(other.metric) === undefined);
    const name = seriesName(other.metric, other.labels);
    const fits = asked.metric === other.metric && Object.entries(asked.labels).every(([l, t]) => other.labels[l] === t);
    expect(selector && selectsSeries(selector, name)).toBe(fits);
  });
  fc.assert(property, { numRuns: 2000 });
});

test("a choice has the same key whatever the order and the repetition of its items, and keeps only what is chosen", () => {
  const choiceOf = (items: readonly string[]) => {
    const choice = readMetricChoice(items);
    if ("unknown" in choice) throw new Error(choice.unknown);
    return choice.sorted();
  };
  const [a, b] = [
    ["temperature", 'x{a="1"}', "x{}"],
    ["x{}", 'x{a="1"}', "temperature", "x{}"],
  ];
  expect(choiceOf(a).key).toBe(choiceOf(b).key);
  expect(choiceOf(["power_draw", "temperature"]).names).toEqual(["temperature", "power_draw"]);
  expect(choiceOf(['x{a="1"}']).seriesOf({ x: 1, 'x{a="1"}': 2, 'x{a="1",b="2"}': 3, 'x{a="2"}': 4 })).toEqual({
    'x{a="1"}': 2,
    'x{a="1",b="2"}': 3,
  });
});

test("a text that is not a selector is refused, and long texts are read within a second", () => {
  for (const text of [
    "",
    '{""}',
    '{"a}',
    '{"a",}',
    '{"a",x=1}',
    '{"a" ,x="1"}',
    "x",
    "{}",
    "x{",
    "x}",
    "x{a}",
    "x{a=1}",
    'x{a="1"',
    'x{a="1",}',
    'x{a="1"}}',
  ]) {
    expect([text, readSeriesSelector(text)]).toEqual([text, undefined]);
  }
  const start = performance.now();
  readMetricChoice(splitNames(`${'x{a="1",'.repeat(125)}`));
  readSeriesSelector(`x{${'a="1",'.repeat(4000)}}`);
  expect(performance.now() - start).toBeLessThan(1000);
});

test("every name that the API lists is selected by the selector that it lists, alone and in a list, whatever its characters", () => {
  const listed = (names: readonly string[]) => {
    const custom = Object.fromEntries(names.map((name) => [name, 1]));
    const gpu = { uuid: "u", clusterId: "c", hostname: "h", gpuId: 0, device: "", modelName: "", driverVersion: "" };
    const seen = { firstSeenAtMs: 0, lastSeenAtMs: 0 };
    return toApiSeries([{ gpu: { ...gpu, ...seen, properties: {} }, timeMs: 0, metrics: {}, custom, occupants: [] }]);
  };
  // a name in an input may be that of a series already
  const nameOf = (name: string, of: Record<string, string>): string => {
    const { metric: named, labels: own } = namedSeries(name);
    return seriesName(String(named), { ...own, ...of });
  };
  const names = fc.array(
    series.map((each) => nameOf(each.metric, each.labels)),
    { minLength: 1, maxLength: 6 },
  );
  const property = fc.property(names, (all) => {
    const custom = Object.fromEntries(all.map((name) => [name, 1]));
    const apiSeries = listed(all);
    expect(apiSeries.map(({ name }) => name)).toEqual([...new Set(all)].sort((a, b) => (a < b ? -1 : 1)));
    const choiceOf = (text: string) => {
      const choice = readMetricChoice(splitNames(text));
      if ("unknown" in choice) throw new Error(choice.unknown);
      return choice;
    };
    for (const { name, selector, metric: of, labels: own } of apiSeries) {
      const chosen = Object.keys(choiceOf(selector).seriesOf(custom));
      expect(chosen).toContain(name);
      const plain = `${name}{}`;
      if (Object.keys(own).length === 0) expect(readSeriesSelector(plain)).toEqual({ metric: of, labels: {} });
      // a selector without labels selects all series of its metric
      for (const other of chosen) expect(namedSeries(other)).toMatchObject({ metric: of, labels: own });
    }
    const together = apiSeries.map(({ selector }) => selector).join(",");
    expect(Object.keys(choiceOf(together).seriesOf(custom)).sort()).toEqual([...new Set(all)].sort());
  });
  fc.assert(property, { numRuns: 2000 });
});
