import { expect, test } from "bun:test";
import { parseSelector } from "../../src/promql/language/parse.ts";
import { promqlSelectorOf } from "../../src/routes/http/parameters/promql-example.ts";

const names = [
  ...["fan_speed", "fan-speed", "hw.gpu.fan-speed", "9lives", "émetric", "foo bar", "tab\there"],
  ...[
    "nan",
    "Inf",
    "offset",
    "bool",
    "by",
    "on",
    "and",
    "unless",
    "atan2",
    "start",
    "end",
    "group_left",
    "sum",
    "topk",
    "time",
  ],
];

/** The labels that a selector of PromQL demands. */
const demanded = (selector: string | undefined): object =>
  Object.fromEntries(parseSelector(selector ?? "").map(({ name, operator, value }) => [name, operator + value]));

test.each(names)("the example of an error selects the metric %j in PromQL", (metric) => {
  const named = { __name__: `=${metric}` };
  expect(demanded(promqlSelectorOf(metric))).toEqual(named);
  expect(demanded(promqlSelectorOf(`${metric}{}`))).toEqual(named);
  expect(demanded(promqlSelectorOf(`${metric}{xid="31"}`))).toEqual({ ...named, xid: "=31" });
});
