import { expect, test } from "bun:test";
import fc from "fast-check";
import { readMetricChoice } from "../../src/domain/metric-choice.ts";
import { seriesName } from "../../src/domain/series.ts";
import { readSeriesSelector, selectsSeries, splitNames } from "../../src/domain/series-selector.ts";

const metric = fc.constantFrom("my_metric", "xid_errors", "other");
const labels = fc.dictionary(
  fc.constantFrom("xid", "nvlink", "vgpu"),
  fc.oneof(fc.constantFrom(",", '"', "\\", "}", "{", "\n", '",x="'), fc.string({ maxLength: 5 })),
);
const series = fc.record({ metric, labels });
const textOf = ({ metric: name, labels: of }: { metric: string; labels: Record<string, string> }): string =>
  Object.keys(of).length === 0 ? `${name}{}` : seriesName(name, of);

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
    "x",
    "{}",
    "x{",
    "x}",
    "x{a}",
    "x{a=1}",
    'x{a="1"',
    'x{a="1",}',
    'x{a="1"}}',
    '"x"{}',
    "x{}{}",
  ]) {
    expect([text, readSeriesSelector(text)]).toEqual([text, undefined]);
  }
  const start = performance.now();
  readMetricChoice(splitNames(`${'x{a="1",'.repeat(125)}`));
  readSeriesSelector(`x{${'a="1",'.repeat(4000)}}`);
  expect(performance.now() - start).toBeLessThan(1000);
});
